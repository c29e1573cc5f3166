/** Parses bodies, JSON and forms, with bounds on the time and memory that this takes. */

import { builtin } from "./deno.ts";
import { badRequest, blame } from "./fault.ts";

/** The RFC lets a parser limit nesting (RFC 8259, section 9); V8 takes seconds for millions of brackets, and other code recurses. */
const MAX_DEPTH = 1_000;
/** Different keys: V8 takes microseconds for each new one, and a body may have a million. */
const MAX_KEYS = 100_000;
/** Slots in which keys are counted by their hash; a power of two, and several times `MAX_KEYS`. */
const KEY_SLOTS = 1 << 20;
/** The factor of the hash. It is odd, and unknown to whoever chooses the keys. */
const HASH_FACTOR = crypto.getRandomValues(new Uint32Array(1))[0]! | 1;
/** JSON of up to this many bytes is parsed without counting its cost. */
const SMALL = 1024;

/** Bytes that V8 takes for an object or a list, a property, and an item. */
const CONTAINER = 64;
const PROPERTY = 64;
const ITEM = 16;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/**
 * Roughly how many bytes of memory JSON takes once it is parsed. It may be fifty times as many as the text has.
 *
 * @throws {Error} 413 if it is nested too deeply, or has too many different keys
 */
function costOf(json: Uint8Array): number {
  let cost = 0;
  let depth = 0;
  /** Of the last string. */
  let hash = 0;
  let keys = 0;
  const seen = new Uint8Array(json.length < KEY_SLOTS ? KEY_SLOTS >> 4 : KEY_SLOTS);
  for (let at = 0; at < json.length; at++) {
    const byte = json[at]!;
    if (byte === QUOTE) {
      // To the end of the string.
      hash = 0;
      for (at++; at < json.length && json[at] !== QUOTE; at++) {
        if (json[at] === BACKSLASH) at++;
        hash = Math.imul(hash ^ json[at]!, HASH_FACTOR);
        hash ^= hash >>> 15;
      }
    } else if (byte === COMMA) {
      cost += ITEM;
    } else if (byte === COLON) {
      cost += PROPERTY;
      const slot = hash & (seen.length - 1);
      if (seen[slot] === 0) {
        seen[slot] = 1;
        if (++keys > MAX_KEYS) throw badRequest(`The JSON has more than ${MAX_KEYS} different keys`, 413);
      }
    } else if ((byte | 0x20) === 0x7b) {
      // [ and {
      cost += CONTAINER;
      if (++depth > MAX_DEPTH) throw badRequest(`The JSON is nested more than ${MAX_DEPTH} levels deep`, 413);
    } else if ((byte | 0x20) === 0x7d) {
      depth--;
    }
  }
  return cost;
}

/**
 * Parses JSON.
 *
 * @param claim Claims the memory that it takes; throws if there is too little
 * @throws {SyntaxError} If it is not valid
 */
export function parseJSON(bytes: Uint8Array, claim: (bytes: number) => void): unknown {
  if (bytes.length > SMALL) claim(costOf(bytes));
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw error instanceof SyntaxError ? blame(error, 400, "The body is not valid JSON") : error;
  }
}

const AMPERSAND = 0x26;
const DASH = 0x2d;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;

/** Empty fields of a URL-encoded form. They do not count as fields, but parsing millions of them takes time too. */
const MAX_EMPTY = 1_000;

function tooMany(maximum: number): Error {
  return badRequest(`The form has more than ${maximum} fields and files`, 413);
}

/** @throws {Error} 413 if a URL-encoded form has more fields than the maximum */
function limitFields(bytes: Uint8Array, maximum: number): void {
  let fields = 0;
  let empty = 0;
  for (let start = 0, end = 0; end >= 0; start = end + 1) {
    end = bytes.indexOf(AMPERSAND, start);
    if (end === start || start === bytes.length) empty++;
    else fields++;
    if (fields > maximum || empty > MAX_EMPTY) throw tooMany(maximum);
  }
}

/** Whether the boundary before this place is the last one: Deno expects `--`, white space, and the end of the line or of the form. */
function isEnd(bytes: Uint8Array, start: number): boolean {
  if (bytes[start] !== DASH || bytes[start + 1] !== DASH) return false;
  let at = start + 2;
  while (bytes[at] === SPACE || bytes[at] === TAB) at++;
  return at === bytes.length || (bytes[at] === CR && bytes[at + 1] === LF);
}

/**
 * Counts the parts of a form. A part begins with a line that begins with `--` and the boundary; one with `--` behind it ends the form.
 *
 * @throws {Error} 413 if there are more than the maximum, 400 if the form does not end, so that its last part would be lost
 */
function limitParts(bytes: Uint8Array, boundary: string, maximum: number): void {
  const delimiter = new TextEncoder().encode(`--${boundary}`);
  let count = 0;
  let ended = false;
  for (let start = 0, next = 0; next >= 0 && !ended; start = next + 1) {
    if (bytes[start] === DASH && delimiter.every((byte, index) => bytes[start + index] === byte)) {
      ended = isEnd(bytes, start + delimiter.length);
      if (!ended && ++count > maximum) throw tooMany(maximum);
    }
    next = bytes.indexOf(LF, start);
  }
  if (!ended) throw blame(new TypeError("The form is cut off"), 400, "The body is not a valid form: it is cut off");
}

/** The longest content type of a form, in characters: Node's parser takes quadratic time. */
const MAX_TYPE = 1024;

/** A boundary as RFC 2046, section 5.1.1, allows it, without a space at the end. */
const BOUNDARY = /^[\w'()+,./:=?-](?:[\w'()+,./:=? -]{0,68}[\w'()+,./:=?-])?$/;

/** The content type of a form, reduced to what it needs, so that Fetch looks for the same boundary that is counted here. */
function formType(contentType: string | null): { type: string; boundary?: string } | undefined {
  if (contentType === null || contentType.length > MAX_TYPE) return undefined;
  const { MIMEType } = builtin("node:util");
  let type;
  try {
    type = new MIMEType(contentType);
  } catch {
    return undefined;
  }
  if (type.essence === "application/x-www-form-urlencoded") return { type: type.essence };
  const boundary = type.params.get("boundary") ?? "";
  if (type.essence !== "multipart/form-data" || !BOUNDARY.test(boundary)) return undefined;
  return { type: `multipart/form-data; boundary="${boundary}"`, boundary };
}

const NO_FORM = "The body is not a form: its type must be multipart/form-data or application/x-www-form-urlencoded";

/**
 * Parses a form.
 *
 * @param maximum The most fields and files
 * @throws {TypeError} If it is not a form
 */
export async function parseForm(
  bytes: Uint8Array<ArrayBuffer>,
  contentType: string | null,
  maximum: number,
): Promise<FormData> {
  const form = formType(contentType);
  if (form === undefined) throw blame(new TypeError(NO_FORM), 400);
  if (form.boundary === undefined) limitFields(bytes, maximum);
  else limitParts(bytes, form.boundary, maximum);
  try {
    return await new Response(bytes, { headers: { "content-type": form.type } }).formData();
  } catch (error) {
    throw error instanceof TypeError ? blame(error, 400, "The body is not a valid form") : error;
  }
}
