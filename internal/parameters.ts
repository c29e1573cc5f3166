/** The parameters of the operator: what they mean, what they start as, what they take. */

import { type Callbacks, template } from "../callbacks.ts";

/** The parameters of a {@linkcode WebServer}. */
export interface WebServerParameters {
  /**
   * Whether the server is to run. Only `set()` takes it; constructing a server never starts it.
   *
   * @default {false}
   */
  readonly active: boolean;
  /**
   * The TCP port, 0 to 65535; 0 takes any free one, which a restart keeps.
   *
   * @default {9980}
   */
  readonly port: number;
  /**
   * The address to listen on: an IP address or host name of this machine. Blank listens on all interfaces, for IPv6 and
   * IPv4 clients alike, so that the whole network can connect; `"127.0.0.1"` admits this machine only.
   *
   * @default {""}
   */
  readonly localaddress: string;
  /**
   * The name of the operator, in the template's answer and in messages: letters, digits and underscores.
   *
   * @default {"webserver1"}
   */
  readonly name: string;
  /**
   * The callbacks: an object of functions, such as the namespace of a module. They are looked up when they are due, so a
   * function that is replaced in the object takes over at once.
   *
   * @default {template}
   */
  readonly callbacks: Callbacks;
}

/** Parameters to change; `undefined` is taken as absent. */
export type ParameterChange = { readonly [Name in keyof WebServerParameters]?: WebServerParameters[Name] | undefined };

/** What a new operator starts with. */
export const defaults: WebServerParameters = Object.freeze({
  active: false,
  port: 9980,
  localaddress: "",
  name: "webserver1",
  callbacks: template,
});

interface Rule<Value> {
  /** What is accepted, as the end of a sentence. */
  readonly takes: string;
  isOfType(value: unknown): boolean;
  inRange?(value: Value): boolean;
}

const isString = (value: unknown) => typeof value === "string";

const rules: { readonly [Name in keyof WebServerParameters]: Rule<WebServerParameters[Name]> } = {
  active: { takes: "true or false", isOfType: (value) => typeof value === "boolean" },
  port: {
    takes: "an integer from 0 to 65535",
    isOfType: (value) => typeof value === "number",
    inRange: (value) => Number.isInteger(value) && value >= 0 && value <= 65535,
  },
  localaddress: {
    takes: 'an IP address or a host name of this machine, or "" for all interfaces',
    isOfType: isString,
    inRange: (value) => /^[\w.:%-]*$/.test(value),
  },
  name: {
    takes: "letters, digits and underscores",
    isOfType: isString,
    inRange: (value) => /^\w+$/.test(value),
  },
  callbacks: {
    takes: "an object of callbacks",
    isOfType: (value) => typeof value === "object" && value !== null,
  },
};

const CALLBACK_NAMES = [...Object.keys(template), "onError"] as (keyof Callbacks)[];

/**
 * A change of parameters, with `undefined` taken as absent.
 *
 * @throws {TypeError} If there is no such parameter, or its value is of the wrong type
 * @throws {RangeError} If its value is out of range
 */
export function checkParameters(change: ParameterChange): Partial<WebServerParameters> {
  if (typeof change !== "object" || change === null) {
    throw new TypeError(`Cannot set parameters to ${Deno.inspect(change)}: they are an object, such as { port: 9980 }`);
  }
  const present = Object.entries(change).filter(([, value]) => value !== undefined);
  for (const [name, value] of present) checkParameter(name, value);
  return Object.fromEntries(present);
}

function checkParameter(name: string, value: unknown): void {
  if (!Object.hasOwn(rules, name)) {
    throw new TypeError(`Cannot set parameter "${name}": the parameters are ${Object.keys(rules).join(", ")}`);
  }
  const rule = rules[name as keyof WebServerParameters] as Rule<unknown>;
  const shown = Deno.inspect(value, { depth: 0, strAbbreviateSize: 80 });
  const message = `Cannot set parameter "${name}" to ${shown}: it takes ${rule.takes}`;
  if (!rule.isOfType(value)) throw new TypeError(message);
  if (rule.inRange && !rule.inRange(value)) throw new RangeError(message);
  if (name === "callbacks") checkCallbacks(value as Callbacks);
}

function checkCallbacks(callbacks: Callbacks): void {
  for (const name of CALLBACK_NAMES) {
    const callback: unknown = callbacks[name];
    if (callback !== undefined && typeof callback !== "function") {
      throw new TypeError(`Cannot set parameter "callbacks": its ${name} is not a function, but a ${typeof callback}`);
    }
  }
}
