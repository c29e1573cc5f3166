/** Headers of answers: turns the keys of a dictionary into headers that can be sent. */

import { checkValue } from "../engine/header_values.ts";
import type { HeaderValue, ResponseDictionary } from "./dictionaries.ts";

const BEYOND_ASCII = /[\u0080-\uffff]/;

/** Headers with the address of a resource. */
const ADDRESSES = ["location", "content-location"];

/** Values that need no encoding, since they come from `Headers`. */
class Settled {
  constructor(readonly values: string[]) {}
}

/** Headers by their names in lower case: if two keys differ only in letter case, the later one is sent. */
export type HeaderFields = Record<string, HeaderValue | Settled | undefined>;

/** A new set of headers. */
export function headerFields(): HeaderFields {
  return Object.create(null);
}

/** Describes a value in an error message. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  if (value instanceof Promise) return "a promise (write `await` before it)";
  return Array.isArray(value) ? "a list" : `an object (${value.constructor?.name ?? "without a prototype"})`;
}

/** Whether a value is a plain object. */
export function isDictionary(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Adds headers, which replace existing ones of the same name. */
export function merge(fields: HeaderFields, headers: ResponseDictionary["headers"]): void {
  if (headers === undefined) return;
  if (headers instanceof Headers) {
    for (const [name, value] of headers) {
      fields[name] = new Settled(name === "set-cookie" ? headers.getSetCookie() : [value]);
    }
  } else if (isDictionary(headers)) {
    for (const [name, value] of Object.entries(headers)) fields[name.toLowerCase()] = value;
  } else {
    throw new TypeError(`Cannot send \`headers\`: it is ${kindOf(headers)}, not a dictionary`);
  }
}

/**
 * A value as `Headers` takes it, with one character for each byte: UTF-8, or percent-encoded in an address.
 *
 * @throws {TypeError} If it cannot be sent
 */
function encoded(name: string, value: unknown): string {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value !== "string") {
    throw new TypeError(`Cannot send the header "${name}": its value is ${kindOf(value)}, not a string`);
  }
  checkValue(name, value);
  if (ADDRESSES.includes(name)) return value.toWellFormed().replace(/[^\x21-\x7e]+/g, encodeURIComponent);
  if (!BEYOND_ASCII.test(value)) return value;
  return Array.from(new TextEncoder().encode(value), (byte) => String.fromCharCode(byte)).join("");
}

/**
 * The value of one header.
 *
 * @throws {TypeError} If it cannot be sent, or if there are several
 */
export function valueOf(name: string, value: HeaderValue | Settled): string {
  return value instanceof Settled ? checkValue(name, value.values[0]!) : encoded(name, value);
}

/**
 * Converts them to Fetch `Headers`.
 *
 * @throws {TypeError} If one cannot be sent
 */
export function toHeaders(fields: HeaderFields): Headers {
  const headers = new Headers();
  for (const name in fields) {
    const value = fields[name];
    if (value === undefined) continue;
    if (value instanceof Settled) { for (const item of value.values) headers.append(name, checkValue(name, item)); }
    else for (const item of Array.isArray(value) ? value : [value]) headers.append(name, encoded(name, item));
  }
  return headers;
}
