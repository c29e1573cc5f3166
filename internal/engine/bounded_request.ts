/** A Fetch `Request` whose body can be read only within the limits. */

import type { RequestBody } from "./body.ts";
import { headerOf } from "./deno.ts";

/** Methods of a Fetch `Request` that are replaced by those of the same name of `RequestBody`. */
const READERS = ["text", "json", "formData"] as const;

/** Makes a Fetch `Request` give its body only within the limits. */
export function bound(request: Request, body: RequestBody): void {
  const methods = Object.fromEntries(READERS.map((name) => [name, { value: () => body[name]() }]));
  Object.defineProperties(request, {
    ...methods,
    body: { get: () => body.stream() },
    bodyUsed: { get: () => body.isUsed },
    bytes: { value: () => body.bytes() },
    arrayBuffer: { value: async () => (await body.bytes()).buffer },
    blob: {
      value: async () => new Blob([await body.bytes()], { type: headerOf(request, "content-type") ?? "" }),
    },
    clone: {
      value() {
        throw new TypeError("Cannot clone the request: its body can be read only once, as it arrives");
      },
    },
  });
}
