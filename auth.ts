/**
 * Basic authentication (RFC 7617) for callbacks.
 *
 * @example A panel behind a password
 * ```ts
 * import { authenticateBasic } from "@webserver-dat/server/auth";
 * import type { Callbacks } from "@webserver-dat/server";
 *
 * const users = { operator: "stage left" };
 *
 * const callbacks: Callbacks = {
 *   onHTTPRequest(_webServer, request, response) {
 *     if (!authenticateBasic(request["Authorization"], users)) {
 *       response.statusCode = 401;
 *       response["WWW-Authenticate"] = 'Basic realm="panel", charset="UTF-8"';
 *       return response;
 *     }
 *     response.statusCode = 200;
 *     response.data = "<h1>The panel</h1>";
 *     return response;
 *   },
 * };
 * ```
 *
 * @module
 */

import { decodeBase64 } from "@std/encoding/base64";

/** Who may come in: the password of each user. */
export type UserPasswords = Readonly<Record<string, string>> | ReadonlyMap<string, string>;

// An `Authorization` header with its scheme or, as the operator may have it, without.
const TOKEN = /^(?:basic +)?([a-z0-9+/]+={0,2}) *$/i;
// CTL of RFC 5234, which RFC 7617 forbids in both parts.
// deno-lint-ignore no-control-regex -- control characters are what it looks for
const CONTROL = /[\x00-\x1f\x7f]/;
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** User and password of a token, or undefined where it is malformed. The first colon splits (RFC 7617, section 2). */
function credentials(token: string): { user: string; password: string } | undefined {
  const encoded = TOKEN.exec(token)?.[1];
  if (encoded === undefined) return undefined;
  let text;
  try {
    text = UTF8.decode(decodeBase64(encoded));
  } catch {
    return undefined;
  }
  const colon = text.indexOf(":");
  if (colon < 0 || CONTROL.test(text)) return undefined;
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** Whether two texts are the same, by digests of equal length in constant time. */
function equal(one: string, other: string): boolean {
  // Loaded at the first use: an import of it would double the time that every server takes to start.
  // deno-lint-ignore no-process-global -- so would an import of node:process
  const { createHash, timingSafeEqual } = process.getBuiltinModule("node:crypto");
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}

/** Only what was put in counts: `constructor` is a user of no Record. */
function passwordOf(user: string, userPasswords: UserPasswords): string | undefined {
  if (userPasswords instanceof Map) return userPasswords.get(user);
  return Object.hasOwn(userPasswords, user) ? (userPasswords as Record<string, string>)[user] : undefined;
}

/**
 * Whether the token of an `Authorization` header names a user and that user's password.
 *
 * Digests of equal length are compared in constant time, and an unknown user takes the same work as a wrong password. The
 * time still tells the length of what was sent, and looking a user up is as fast as the Record or Map is.
 *
 * @param token `request["Authorization"]`, with `Basic ` (in any letter case, with any number of spaces) or without
 * @param userPasswords The password of each user
 * @returns False for a wrong password, an unknown user, another scheme, an absent or malformed token
 * @throws {TypeError} If `userPasswords` is neither a Record nor a Map
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { authenticateBasic } from "@webserver-dat/server/auth";
 *
 * // The token of RFC 7617, section 2
 * assert(authenticateBasic("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", { Aladdin: "open sesame" }));
 * assert(!authenticateBasic(undefined, { Aladdin: "open sesame" }));
 * ```
 */
export function authenticateBasic(token: string | null | undefined, userPasswords: UserPasswords): boolean {
  if (typeof userPasswords !== "object" || userPasswords === null) {
    throw new TypeError(
      "Cannot authenticate: `userPasswords` is neither a Record nor a Map of user names to passwords",
    );
  }
  const sent = typeof token === "string" ? credentials(token) : undefined;
  if (sent === undefined) return false;
  const password = passwordOf(sent.user, userPasswords);
  const same = equal(sent.password, typeof password === "string" ? password : "");
  return same && typeof password === "string";
}
