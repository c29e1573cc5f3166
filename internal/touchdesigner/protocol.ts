/**
 * The messages between the two sides. Text is JSON:
 *
 * - from TouchDesigner `{"hello":1}`, answered by `{"welcome":1,"limit":16777216}`; `{"replaced":true}` when another one has connected
 * - to TouchDesigner `{"batch":7,"changes":[["lights","par","Value",0.5],["log","appendRow",["a"]]]}`
 * - from TouchDesigner `{"done":7,"results":[[1,0]],"errors":[]}`, by the number of the change; `part` in place of `done` if more follow
 * - from TouchDesigner `{"message":["fader",0.5]}`
 *
 * Bytes follow a line of JSON: `{"batch":8,"change":["base1","call","Load",null],"at":3}` (the bytes are the item at that place),
 * `{"answer":[7,0]}` and `{"message":"preview"}`.
 */

import type { JSONValue } from "../../callbacks.ts";
import type { Change } from "./changes.ts";
import { decode } from "./values.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A message from TouchDesigner. */
export type Incoming =
  | { readonly kind: "hello"; readonly version: number }
  | {
    readonly kind: "part" | "done";
    readonly batch: number;
    readonly results: Numbered[];
    readonly errors: Numbered[];
  }
  | { readonly kind: "message"; readonly name: string; readonly value: JSONValue | Bytes };

type Numbered = readonly [index: number, value: JSONValue | Bytes];

/** A batch as it is sent. */
export function encodeBatch(batch: number, changes: readonly Change[]): string | Bytes {
  const [{ head, rest, bytes }] = changes as [Change];
  if (bytes === undefined) {
    return `{"batch":${batch},"changes":[${changes.map(({ head, rest }) => head + rest).join()}]}`;
  }
  const line = new TextEncoder().encode(`{"batch":${batch},"change":${head}${rest},"at":${bytes.at}}\n`);
  const message = new Uint8Array(line.length + bytes.data.length);
  message.set(line);
  message.set(bytes.data, line.length);
  return message;
}

const isNumber = (value: unknown): value is number => Number.isSafeInteger(value);

/** A list of pairs, or undefined if it is something else. */
function pairsOf(list: unknown): Numbered[] | undefined {
  if (!Array.isArray(list)) return undefined;
  return list.every((pair) => Array.isArray(pair) && pair.length === 2 && isNumber(pair[0])) ? list : undefined;
}

/** Parses a text message; undefined if it is malformed. */
export function parseText(text: string): Incoming | undefined {
  const value = decode(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const { hello, done, part, results, errors, message } = value as Record<string, unknown>;
  if (isNumber(hello)) return { kind: "hello", version: hello };
  const batch = done ?? part;
  if (isNumber(batch)) {
    const [given, failed] = [pairsOf(results), pairsOf(errors)];
    if (given === undefined || failed === undefined) return undefined;
    return { kind: done === undefined ? "part" : "done", batch, results: given, errors: failed };
  }
  if (Array.isArray(message) && message.length === 2 && typeof message[0] === "string") {
    return { kind: "message", name: message[0], value: message[1] };
  }
  return undefined;
}

/** The longest line before bytes, in bytes. */
const MAX_LINE = 4096;

/** Parses a binary message; undefined if it is malformed. */
export function parseBinary(data: Bytes): Incoming | undefined {
  const end = data.subarray(0, MAX_LINE).indexOf(10);
  if (end < 0) return undefined;
  const value = decode(new TextDecoder().decode(data.subarray(0, end)));
  if (typeof value !== "object" || value === null) return undefined;
  const { answer, message } = value as Record<string, unknown>;
  const bytes = data.slice(end + 1);
  if (typeof message === "string") return { kind: "message", name: message, value: bytes };
  if (Array.isArray(answer) && isNumber(answer[0]) && isNumber(answer[1])) {
    return { kind: "part", batch: answer[0], results: [[answer[1], bytes]], errors: [] };
  }
  return undefined;
}
