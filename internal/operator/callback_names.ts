/** The names of the callbacks, and the check of an object or a module that has them. */

import type { Callbacks } from "../../callbacks.ts";
import { template } from "./default_callbacks.ts";
import { nearest } from "./nearest.ts";
import { shown } from "./shown.ts";

/** The names of the callbacks. */
export const CALLBACK_NAMES: readonly (keyof Callbacks)[] = [
  ...Object.keys(template) as (keyof Callbacks)[],
  "onWebSocketRequest",
  "onError",
];

/**
 * Refuses a callback that cannot be called: one that is not a function, and a function whose name is misspelt.
 *
 * @param cannot What fails, as the start of the message: `Cannot load callbacks "show.ts"`
 * @throws {TypeError} If there is such a callback
 */
export function checkCallbacks(object: object, cannot: string): void {
  const callbacks = object as Readonly<Record<string, unknown>>;
  for (const name of CALLBACK_NAMES) {
    const callback = callbacks[name];
    if (callback !== undefined && typeof callback !== "function") {
      throw new TypeError(`${cannot}: its ${name} is not a function, but ${shown(callback)}`);
    }
  }
  for (const name of namesIn(callbacks)) {
    if (!/^on/i.test(name) || CALLBACK_NAMES.includes(name as keyof Callbacks)) continue;
    const meant = nearest(name, CALLBACK_NAMES);
    if (meant !== undefined && typeof callbacks[name] === "function") {
      throw new TypeError(`${cannot}: nothing ever calls its "${name}". Name it "${meant}"`);
    }
  }
}

/** The names of the properties, including the methods of a class. */
function namesIn(object: object): Set<string> {
  const names = new Set<string>();
  for (let owner = object; owner && owner !== Object.prototype; owner = Object.getPrototypeOf(owner)) {
    for (const name of Object.getOwnPropertyNames(owner)) names.add(name);
  }
  return names;
}
