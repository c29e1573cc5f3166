/** What can be sent to TouchDesigner. */

import type { JSONValue } from "../../callbacks.ts";

/** Why a value cannot be sent, or undefined if it can; JSON would change it without a word. */
function objection(value: unknown): string | undefined {
  switch (typeof value) {
    case "number":
      return Number.isFinite(value) ? undefined : `${value} is not a number that JSON has`;
    case "string":
    case "boolean":
      return undefined;
    case "object":
      break;
    default:
      return `${typeof value} is not a type that JSON has`;
  }
  if (value === null || Array.isArray(value)) return undefined;
  if (typeof (value as { then?: unknown }).then === "function") return "it is a promise: await it first";
  const prototype = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return undefined;
  const { name } = prototype.constructor ?? {};
  if (name === "Par") return "it is a parameter: await its eval() first";
  return `it is of the class ${name || "without a name"}, which JSON does not have`;
}

/**
 * A value as JSON.
 *
 * @param what The call that sends it, for the message of an error
 * @throws {TypeError} If it is not a value that JSON has
 */
export function encode(value: unknown, what: () => string): string {
  if (typeof value === "string" || typeof value === "boolean") return JSON.stringify(value);
  return JSON.stringify(value, function (this: Record<string, unknown>, key, item) {
    // As it is, before its own toJSON() makes something else of it.
    const reason = objection(this[key]);
    if (reason === undefined) return item;
    throw new TypeError(`Cannot send ${what()}: ${reason}`);
  });
}

/** Parses what came from TouchDesigner; undefined if it is not JSON. */
export function decode(text: string): JSONValue {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
