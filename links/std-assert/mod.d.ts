// deno-lint-ignore-file no-explicit-any
/** Throws unless the expression is truthy. */
export declare function assert(expr: unknown, msg?: string): asserts expr;
/** Throws unless both values are deeply equal. */
export declare function assertEquals<T>(actual: T, expected: T, msg?: string): void;
/** Throws if both values are deeply equal. */
export declare function assertNotEquals<T>(actual: T, expected: T, msg?: string): void;
/** Throws unless `actual` is in the order asked for. */
export declare function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void;
/** Throws unless the string contains the other. */
export declare function assertStringIncludes(actual: string, expected: string, msg?: string): void;
/** Throws unless the string matches. */
export declare function assertMatch(actual: string, expected: RegExp, msg?: string): void;
/** Throws unless the function throws such an error; returns that error. */
export declare function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClass?: abstract new (...args: any[]) => E,
  msgIncludes?: string,
): E;
/** Throws unless the promise rejects with such an error; resolves to that error. */
export declare function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClass?: abstract new (...args: any[]) => E,
  msgIncludes?: string,
): Promise<E>;
