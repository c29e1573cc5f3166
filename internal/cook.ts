/** Cooking: running the user's callbacks, and counting what comes of it. */

import type { Callbacks } from "../callbacks.ts";
import type { WebServer } from "../server.ts";
import { BadRequest } from "./request.ts";

/** What a callback that threw leaves: the status to answer with. */
export class Failure {
  constructor(readonly status: 400 | 500, readonly detail?: string) {}
}

const METHODS = ["start", "stop", "restart", "set"];

/** Whether a callback's result is to be waited for. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

/** Prints what went wrong, even what throws when it is looked at. */
function print(line: string, ...error: unknown[]): void {
  try {
    console.error(line, ...error);
  } catch {
    console.error(line, "an error that cannot be shown");
  }
}

type Arguments<Name extends keyof Callbacks> = NonNullable<Callbacks[Name]> extends
  (webServer: WebServer, ...rest: infer Rest) => unknown ? Rest : never;

/** The cooks of one operator. */
export class Cooks {
  readonly #webServer: WebServer;
  /** Callbacks run. */
  total = 0;
  /** Errors since the last start. */
  errors = 0;
  /** Warnings since the last start. */
  warnings = 0;

  constructor(webServer: WebServer) {
    this.#webServer = webServer;
  }

  /** A start: errors and warnings are counted anew. */
  reset(): void {
    this.errors = 0;
    this.warnings = 0;
  }

  has(name: keyof Callbacks): boolean {
    try {
      return (this.#webServer.parameters.callbacks[name] ?? null) !== null;
    } catch {
      // A getter that throws: run() tells.
      return true;
    }
  }

  /**
   * Runs a callback: the one place that calls the user's code. Never throws, and its promise never rejects: what goes wrong
   * is reported and comes back as a Failure. What is to be waited for comes back as a Promise of the runtime's own.
   */
  run<Name extends keyof Callbacks>(name: Name, ...args: Arguments<Name>): unknown {
    const { callbacks } = this.#webServer.parameters;
    try {
      const callback = callbacks[name] as ((webServer: WebServer, ...args: unknown[]) => unknown) | null | undefined;
      if (callback === undefined || callback === null) return undefined;
      this.total++;
      const result = callback.call(callbacks, this.#webServer, ...args);
      if (isThenable(result)) return Promise.resolve(result).catch((error) => this.#fail(error, name, args));
      return name === "onHTTPRequest" ? result : undefined;
    } catch (error) {
      return this.#fail(error, name, args);
    }
  }

  #fail(error: unknown, name: keyof Callbacks, args: unknown[]): Failure {
    if (error instanceof BadRequest) return new Failure(400, error.message);
    if (name === "onError") {
      print(`${this.#webServer.name}: onError threw`, error);
      print(`${this.#webServer.name}: it was to be told that ${args[1]} failed:`, args[0]);
    } else {
      this.report(error, name);
    }
    return new Failure(500);
  }

  /**
   * Counts an error and hands it to `onError`, or prints it. Never throws.
   *
   * @param name The callback or method that failed
   */
  report(error: unknown, name: string): void {
    this.errors++;
    if (this.has("onError")) this.run("onError", error, name);
    // The message of a method's error says it all; for the user's own code, the stack counts.
    else if (METHODS.includes(name) && error instanceof Error) print(`${this.#webServer.name}: ${error.message}`);
    else print(`${this.#webServer.name}: ${name} threw`, error);
  }

  /** Counts a warning; prints the first, so that a busy server does not fill the terminal with it. */
  warn(message: string): void {
    if (this.warnings++ === 0) console.warn(`${this.#webServer.name}: ${message}`);
  }
}
