/** What each parameter takes. */

import type { Callbacks } from "../../callbacks.ts";
import { isProxy } from "../engine/proxies.ts";
import { canonicalOrigin } from "../engine/origin.ts";
import { CALLBACK_NAMES, type ParameterChange, type WebServerParameters } from "./parameters.ts";

interface Rule<Value> {
  /** What is accepted, as the end of a sentence. */
  readonly takes: string;
  isOfType(value: unknown): boolean;
  inRange?(value: Value): boolean;
}

const isString = (value: unknown) => typeof value === "string";
const isNumber = (value: unknown) => typeof value === "number";
const isList = (value: unknown) => Array.isArray(value) && value.every(isString);

const flag: Rule<boolean> = { takes: "true or false", isOfType: (value) => typeof value === "boolean" };

const file: Rule<string | URL> = {
  takes: "the path of a file, or a file: URL",
  isOfType: (value) => isString(value) || value instanceof URL,
  inRange: (value) => !(value instanceof URL) || value.protocol === "file:",
};

function oneOf<Value extends string>(...values: Value[]): Rule<Value> {
  return {
    takes: values.map((value) => `"${value}"`).join(" or "),
    isOfType: isString,
    inRange: (value) => values.includes(value),
  };
}

function integer(minimum: number, maximum: number, unit = ""): Rule<number> {
  return {
    takes: `an integer from ${minimum} to ${maximum}${unit}`,
    isOfType: isNumber,
    inRange: (value) => Number.isInteger(value) && value >= minimum && value <= maximum,
  };
}

const bytes = integer(0, Number.MAX_SAFE_INTEGER, " (bytes)");

/** The runtime's timers end at 2^31 ms. */
const seconds: Rule<number> = {
  takes: "seconds from 0 to 86400",
  isOfType: isNumber,
  inRange: (value) => value >= 0 && value <= 86_400,
};

const rules: { readonly [Name in keyof WebServerParameters]: Rule<WebServerParameters[Name]> } = {
  active: flag,
  port: integer(0, 65535),
  localaddress: {
    takes: 'an IP address or a host name of this machine, or "" for all interfaces',
    isOfType: isString,
    inRange: (value) => /^[\w.:%-]*$/.test(value),
  },
  secure: flag,
  privatekey: file,
  certificate: file,
  password: { takes: "a string", isOfType: isString },
  callbacks: {
    takes: "an object of callbacks, or the path or URL of a module of them",
    isOfType: (value) => isString(value) || (typeof value === "object" && value !== null),
    inRange: (value) => value !== "",
  },
  language: oneOf("input", "node"),
  extension: oneOf("dat", "language", "custom"),
  customext: {
    takes: "up to 16 letters, digits and underscores",
    isOfType: isString,
    inRange: (value) => /^\w{0,16}$/.test(value),
  },
  wordwrap: oneOf("input", "on", "off"),
  name: {
    takes: "letters, digits and underscores",
    isOfType: isString,
    inRange: (value) => /^\w+$/.test(value),
  },
  watch: flag,
  origins: {
    takes: '"same", "any", or a list of "same" and origins such as "http://192.168.0.7:8080", without a path',
    isOfType: (value) => isString(value) || isList(value),
    inRange: (value) =>
      typeof value === "string"
        ? value === "same" || value === "any"
        : value.every((item) => item === "same" || canonicalOrigin(item) !== undefined),
  },
  trustedProxies: {
    takes: 'a list of addresses such as "192.168.0.2", networks such as "10.0.0.0/8", and "loopback"',
    isOfType: isList,
    inRange: (value) => value.every(isProxy),
  },
  maxBodySize: bytes,
  maxBodyMemory: bytes,
  maxFormFields: integer(0, Number.MAX_SAFE_INTEGER),
  body: oneOf("buffer", "stream"),
  requestTimeout: seconds,
  maxConnections: integer(0, Number.MAX_SAFE_INTEGER),
  maxMessageSize: bytes,
  maxBufferedAmount: bytes,
  idleTimeout: integer(0, 3600, " (seconds)"),
  shutdownTimeout: seconds,
};

/** The names of the parameters, in the order of the pages. */
export const PARAMETER_NAMES = Object.keys(rules) as (keyof WebServerParameters)[];

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
    throw new TypeError(`Cannot set parameter "${name}": the parameters are ${PARAMETER_NAMES.join(", ")}`);
  }
  const rule = rules[name as keyof WebServerParameters] as Rule<unknown>;
  const text = value instanceof URL ? value.href : value;
  const shown = name === "password" ? "this value" : Deno.inspect(text, { depth: 0, strAbbreviateSize: 80 });
  const message = `Cannot set parameter "${name}" to ${shown}: it takes ${rule.takes}`;
  if (!rule.isOfType(value)) throw new TypeError(message);
  if (rule.inRange && !rule.inRange(value)) throw new RangeError(message);
  if (name === "callbacks" && typeof value === "object" && !(value instanceof URL)) checkCallbacks(value as Callbacks);
}

/**
 * Checks that what is named as a callback is a function.
 *
 * @throws {TypeError} If it is not
 */
function checkCallbacks(callbacks: Callbacks): void {
  for (const name of CALLBACK_NAMES) {
    const callback: unknown = callbacks[name];
    if (callback !== undefined && typeof callback !== "function") {
      throw new TypeError(`Cannot set parameter "callbacks": its ${name} is not a function, but a ${typeof callback}`);
    }
  }
}
