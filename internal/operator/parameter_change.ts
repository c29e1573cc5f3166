/** Changing parameters: the check of a change, the parameters after it, and what it affects. */

import { CALLBACK_NAMES } from "./callback_names.ts";
import type { Kind } from "./kinds.ts";
import { nearest } from "./nearest.ts";
import {
  type Effect,
  PARAMETER_NAMES,
  type ParameterChange,
  PARAMETERS,
  type WebServerParameters,
} from "./parameters.ts";
import { shown } from "./shown.ts";

/**
 * Checks a change of parameters.
 *
 * @returns The change without those that are `undefined`
 * @throws {TypeError} If a parameter does not exist, or its value is of the wrong type
 * @throws {RangeError} If a value is out of range
 */
export function checkParameters(change: ParameterChange): Partial<WebServerParameters> {
  if (typeof change !== "object" || change === null) {
    throw new TypeError(`Cannot set parameters to ${shown(change)}: they are an object, such as { port: 9980 }`);
  }
  // Lists are copied, since the caller may change them before it is their turn.
  const present = Object.entries(change)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [name, Array.isArray(value) ? [...value] : value] as const);
  for (const [name, value] of present) checkParameter(name, value);
  return Object.fromEntries(present);
}

function checkParameter(name: string, value: unknown): void {
  const cannot = `Cannot set parameter "${name}"`;
  if (!isParameter(name)) {
    if (nearest(name, CALLBACK_NAMES) !== undefined && typeof value === "function") {
      throw new TypeError(`${cannot}: it is a callback, so put it into parameter "callbacks"`);
    }
    const meant = nearest(name, PARAMETER_NAMES);
    throw new TypeError(
      `${cannot}: there is no such parameter; ` +
        (meant === undefined ? `the parameters are ${PARAMETER_NAMES.join(", ")}` : `did you mean "${meant}"?`),
    );
  }
  const kind = PARAMETERS[name].kind as Kind<unknown>;
  const text = value instanceof URL ? value.href : value;
  const message = `${cannot} to ${name === "password" ? "this value" : shown(text)}: it takes ${kind.takes}`;
  if (!kind.isOfType(value)) throw new TypeError(message);
  if (kind.inRange?.(value) === false) throw new RangeError(message);
  kind.check?.(value, cannot);
}

function isParameter(name: string): name is keyof WebServerParameters {
  return Object.hasOwn(PARAMETERS, name);
}

/** The parameters with this effect that differ. */
export function differing(
  before: WebServerParameters,
  after: WebServerParameters,
  effect: Effect,
): (keyof WebServerParameters)[] {
  return PARAMETER_NAMES.filter((name) => PARAMETERS[name].affects === effect && !isSame(before[name], after[name]));
}

function isSame(one: unknown, other: unknown): boolean {
  return one instanceof URL || other instanceof URL ? String(one) === String(other) : one === other;
}

/** All parameters at one time; frozen. */
class Snapshot {
  // Private, with a getter on the prototype, so that printing the object does not print it.
  readonly #password: string;

  constructor(parameters: WebServerParameters) {
    const { password, ...others } = parameters;
    Object.assign(this, others);
    this.#password = password;
    Object.freeze(this);
  }

  get password(): string {
    return this.#password;
  }

  /** With `showHidden` or `getters`, `Deno.inspect` and `node:util` would print the getter's value too. */
  [Symbol.for("nodejs.util.inspect.custom")](
    _depth: number,
    options: Deno.InspectOptions,
    inspect: typeof Deno.inspect,
  ) {
    return inspect({ ...this }, options);
  }
}

/** The parameters after a change; frozen, lists included. */
export function changed(before: WebServerParameters, change: Partial<WebServerParameters>): WebServerParameters {
  const after = { ...before, password: before.password, ...change };
  after.trustedProxies = Object.freeze([...after.trustedProxies]);
  if (typeof after.origins !== "string") after.origins = Object.freeze([...after.origins]);
  return new Snapshot(after) as unknown as WebServerParameters;
}
