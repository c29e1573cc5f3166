/** Values that can be sent to TouchDesigner. */

import type { JSONValue } from "../../callbacks.ts";

/** Why a value cannot be sent, or undefined if it can. JSON would silently change it. */
function objection(value: unknown): string | undefined {
  switch (typeof value) {
    case "number":
      return Number.isFinite(value) ? undefined : `JSON cannot represent the number ${value}`;
    case "string":
    case "boolean":
      return undefined;
    case "object":
      break;
    default:
      return `JSON cannot represent the type ${typeof value}`;
  }
  if (value === null || Array.isArray(value)) return undefined;
  if (typeof (value as { then?: unknown }).then === "function") return "it is a promise: await it first";
  const prototype = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return undefined;
  const { name } = prototype.constructor ?? {};
  if (name === "Par") return "it is a parameter: await its eval() first";
  return `it is an instance of ${name || "a class without a name"}, which JSON cannot represent`;
}

/**
 * A value as JSON.
 *
 * @param what The call that sends it, for the error message
 * @throws {TypeError} If JSON cannot represent the value
 */
export function encode(value: unknown, what: () => string): string {
  if (typeof value === "string" || typeof value === "boolean") return JSON.stringify(value);
  return JSON.stringify(value, function (this: Record<string, unknown>, key, item) {
    // Check the original, before its own toJSON() turns it into something else.
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
