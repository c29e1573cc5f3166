/** Bytes as text with one character for each, which is easier to mutate, compare and print. */

import type { Random } from "./random.ts";

/** The bytes of such a text. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  // Some are of megabytes: `Uint8Array.from` would hold up all other cases.
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** Bytes as such a text. */
export function textOf(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}

/** Bytes of a text in UTF-8, as such a text. */
export function utf8(text: string): string {
  return textOf(new TextEncoder().encode(text));
}

/** A number in `size` bytes, the most significant one first. */
export function number(value: number, size: number): string {
  let bytes = "";
  for (let at = size - 1; at >= 0; at--) bytes += String.fromCharCode(Math.floor(value / 256 ** at) % 256);
  return bytes;
}

/** The text as a string of a program, with what does not print escaped. A run of one character is shortened. */
export function escaped(text: string): string {
  const shown = text.replace(/[^\x20-\x7e]|["\\]/g, (character) => {
    const short = { "\r": "\\r", "\n": "\\n", '"': '\\"', "\\": "\\\\" }[character];
    return short ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
  return `"${shown.replace(/(.)\1{99,}/g, (run, character) => `" + "${character}".repeat(${run.length}) + "`)}"`;
}

/** Bytes that mean something to a parser. */
const SIGNS = '\0\t\n\r !"#%&,/:;=?@[\\]{|}0\x7f\x80\xff';

const MUTATIONS: readonly ((text: string, random: Random) => string)[] = [
  (text, random) => text.slice(0, random.below(text.length)),
  (text, random) => {
    const at = random.below(text.length);
    return text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << random.below(8))) + text.slice(at + 1);
  },
  (text, random) => {
    const at = random.below(text.length);
    return text.slice(0, at) + random.pick([...SIGNS]) + text.slice(at + random.below(2));
  },
  (text, random) => {
    const at = random.below(text.length);
    return text.slice(0, at) + text.slice(at + 1 + random.below(8));
  },
  (text, random) => {
    const at = random.below(text.length);
    const end = at + 1 + random.below(12);
    return text.slice(0, end) + text.slice(at, end) + text.slice(end);
  },
];

/** Changes bytes somewhere. */
export function mutateBytes(text: string, random: Random): string {
  return text === "" ? text : random.pick(MUTATIONS)(text, random);
}
