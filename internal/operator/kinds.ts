/** The kinds of values that parameters take. */

import type { Callbacks } from "../../callbacks.ts";
import { canonicalOrigin } from "../engine/origin.ts";
import { isProxy } from "../engine/proxies.ts";
import { checkCallbacks } from "./callback_names.ts";

/** A kind of value. */
export interface Kind<Value> {
  /** Ends the sentence "it takes ...". */
  readonly takes: string;
  /** Names the value in the help of the command line; absent for a flag that takes none. */
  readonly placeholder?: string;
  isOfType(value: unknown): boolean;
  /** Absent if every value of the type will do. */
  inRange?(value: Value): boolean;
  /**
   * A further check.
   *
   * @param cannot The start of its message
   * @throws {TypeError} If the value fails it
   */
  check?(value: Value, cannot: string): void;
}

const isString = (value: unknown) => typeof value === "string";
const isNumber = (value: unknown) => typeof value === "number";
const isList = (value: unknown) => Array.isArray(value) && value.every(isString);
const isURL = (value: unknown) => value instanceof URL;

/** True or false. */
export const flag: Kind<boolean> = { takes: "true or false", isOfType: (value) => typeof value === "boolean" };

/** Any text. */
export const anyText: Kind<string> = { takes: "a string", placeholder: "TEXT", isOfType: isString };

/** Text of a certain form. */
export function text(placeholder: string, form: RegExp, takes: string): Kind<string> {
  return { takes, placeholder, isOfType: isString, inRange: (value) => form.test(value) };
}

/** One of some words. */
export function oneOf<Word extends string>(...words: Word[]): Kind<Word> {
  return {
    takes: words.map((word) => `"${word}"`).join(" or "),
    placeholder: words.join("|"),
    isOfType: isString,
    inRange: (value) => words.includes(value),
  };
}

/** An integer. */
export function integer(minimum: number, maximum: number, unit?: string): Kind<number> {
  return {
    takes: `an integer from ${minimum} to ${maximum}${unit === undefined ? "" : ` (${unit})`}`,
    placeholder: unit?.toUpperCase() ?? "NUMBER",
    isOfType: isNumber,
    inRange: (value) => Number.isInteger(value) && value >= minimum && value <= maximum,
  };
}

/** How many there may be of something. */
export const count: Kind<number> = integer(0, Number.MAX_SAFE_INTEGER);

/** A size. */
export const bytes: Kind<number> = integer(0, Number.MAX_SAFE_INTEGER, "bytes");

/** A time of up to a day, since `setTimeout` takes 2^31 ms at most. */
export const seconds: Kind<number> = {
  takes: "seconds from 0 to 86400",
  placeholder: "SECONDS",
  isOfType: isNumber,
  inRange: (value) => value >= 0 && value <= 86_400,
};

/** A file. */
export const file: Kind<string | URL> = {
  takes: "the path of a file, or a file: URL",
  placeholder: "FILE",
  isOfType: (value) => isString(value) || isURL(value),
  inRange: (value) => !(value instanceof URL) || value.protocol === "file:",
};

/** An object of callbacks, or a module of them. */
export const callbacks: Kind<Callbacks | string | URL> = {
  takes: "an object of callbacks, or the path or URL of a module of them",
  placeholder: "FILE",
  isOfType: (value) => isString(value) || (typeof value === "object" && value !== null),
  inRange: (value) => value !== "",
  check(value, cannot) {
    if (typeof value === "object" && !(value instanceof URL)) checkCallbacks(value, cannot);
  },
};

/** The origins of web pages. */
export const origins: Kind<"same" | "any" | readonly string[]> = {
  takes: '"same", "any", or a list of "same" and origins such as "http://192.168.0.7:8080", without a path',
  placeholder: "same|any|LIST",
  isOfType: (value) => isString(value) || isList(value),
  inRange: (value) =>
    typeof value === "string"
      ? value === "same" || value === "any"
      : value.every((item) => item === "same" || canonicalOrigin(item) !== undefined),
};

/** Proxies. */
export const proxies: Kind<readonly string[]> = {
  takes: 'a list of addresses such as "192.168.0.2", networks such as "10.0.0.0/8", and "loopback"',
  placeholder: "LIST",
  isOfType: isList,
  inRange: (value) => value.every(isProxy),
};
