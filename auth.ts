/**
 * Basic authentication (RFC 7617) for callbacks, with passwords that are stored as hashes or in the clear.
 *
 * Over a connection that is not `secure`, a password can be read by anyone on the way.
 *
 * @example A panel behind a password
 * ```ts
 * import { challenge, hashPassword, verifyBasic } from "@webserver-dat/server/auth";
 * import type { Callbacks } from "@webserver-dat/server";
 *
 * // In earnest the hash is made beforehand, by `hash-password` on the command line, and written here or read from a file.
 * const users = { operator: await hashPassword("stage left") };
 *
 * const callbacks: Callbacks = {
 *   async onHTTPRequest(_webServer, request, response) {
 *     if (!await verifyBasic(request["Authorization"], users)) return challenge(response, "panel");
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
import type { ResponseDictionary } from "./callbacks.ts";
import { builtin } from "./internal/engine/deno.ts";
import { trimmed } from "./internal/engine/header_values.ts";
import { hashPassword, verifyPassword } from "./internal/password.ts";

export { hashPassword, verifyPassword };

/** Who may come in: the password of each user, or for {@linkcode verifyBasic} what {@linkcode hashPassword} made of it. */
export type UserPasswords = Readonly<Record<string, string>> | ReadonlyMap<string, string>;

/** No header is longer: `Deno.serve` takes heads of up to 64 KiB. */
const MAX_TOKEN = 65_536;
const SCHEME = /^basic +/i;
/** Base64, whose padding may be absent, not wrong. */
const TOKEN = /^(?:[a-z0-9+/]{4})*(?:[a-z0-9+/]{2}(?:==)?|[a-z0-9+/]{3}=?)?$/i;
// CTL of RFC 5234, which RFC 7617 forbids in both parts.
// deno-lint-ignore no-control-regex -- control characters are what it looks for
const CONTROL = /[\x00-\x1f\x7f]/;
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** User and password of a token, or undefined where it is malformed. The first colon splits (RFC 7617, section 2). */
function credentials(token: unknown): { user: string; password: string } | undefined {
  if (typeof token !== "string" || token.length > MAX_TOKEN) return undefined;
  // With its scheme or, as the operator may have it, without.
  const encoded = trimmed(token.replace(SCHEME, ""));
  if (!TOKEN.test(encoded)) return undefined;
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
  const { createHash, timingSafeEqual } = builtin("node:crypto");
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}

function checkUsers(users: UserPasswords, parameter: string): void {
  if (typeof users === "object" && users !== null) return;
  throw new TypeError(`Cannot authenticate: \`${parameter}\` is neither a Record nor a Map of user names to passwords`);
}

/** Only what was put in counts: `constructor` is a user of no Record. */
function passwordOf(user: string, users: UserPasswords): string | undefined {
  const password: unknown = users instanceof Map
    ? users.get(user)
    : Object.hasOwn(users, user)
    ? (users as Record<string, string>)[user]
    : undefined;
  return typeof password === "string" ? password : undefined;
}

/**
 * Whether the token of an `Authorization` header names a user and that user's password. For a few users whose passwords
 * are in the clear, as the operator has them; it takes microseconds. {@linkcode verifyBasic} is for hashed ones.
 *
 * Digests of equal length are compared in constant time, and an unknown user takes the same work as a wrong password. What
 * this does not promise: the time still tells the lengths of what was sent and, in steps of 64 bytes, of what is stored; a
 * malformed token is refused sooner; looking a user up is as fast as the Record or Map is; and what your callback does
 * afterwards takes the time it takes. It does not count failures, so a short password can be guessed.
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
  checkUsers(userPasswords, "userPasswords");
  const sent = credentials(token);
  if (sent === undefined) return false;
  const password = passwordOf(sent.user, userPasswords);
  return equal(sent.password, password ?? "") && password !== undefined;
}

/** How many verified tokens are remembered. */
const MAX_VERIFIED = 1_024;
/** Verifications under way, and those that came out right, the least recently used first. */
const verified = new Map<string, Promise<boolean>>();
/** Of this process alone: the digests that it keys are worth nothing elsewhere. */
let key: Uint8Array | undefined;

/**
 * The work is done once for all who ask the same at the same time (a browser asks for everything on a page at once), and not
 * again once it came out right. `question` holds the password and the stored string: another password, or a new one, is
 * another question.
 */
function remembered(question: string[], work: () => Promise<boolean>): Promise<boolean> {
  key ??= crypto.getRandomValues(new Uint8Array(32));
  const digest = builtin("node:crypto").createHmac("sha256", key).update(JSON.stringify(question)).digest("base64");
  let answer = verified.get(digest);
  verified.delete(digest);
  if (answer === undefined) {
    answer = work();
    const forget = () => verified.delete(digest);
    answer.then((right) => right || forget(), forget);
  }
  verified.set(digest, answer);
  if (verified.size > MAX_VERIFIED) verified.delete(verified.keys().next().value!);
  return answer;
}

/**
 * Whether the token of an `Authorization` header names a user and the password that the user's stored string was made of,
 * by {@linkcode hashPassword}.
 *
 * A password that is new here costs some tenths of a second of one core, on another thread, so nobody waits for it but who
 * sent it. One is worked on at a time and in order of arrival, and up to 32 wait. One that came out right costs
 * microseconds from then on: of the last 1,024 such, a digest under a random key of this process is kept in memory. It
 * holds for as long as that user has that stored string; change or remove the string, and the next request is refused.
 *
 * So those who are in stay in while others guess, and everything else is served. A newcomer waits in the same queue as
 * those who guess, and may find it full: then this rejects with `Deno.errors.Busy`. Answer 503 and not 401, which makes a
 * browser forget a password that may be right. The queue is empty again some seconds after the guessing ends. To turn
 * away those who guess, look at `request.clientAddress`, or let a proxy in front do it. Queue and memory are those of
 * one process or, under `deno serve --parallel`, of one worker.
 *
 * An unknown user costs the same as a wrong password, at the cost of the first of the stored strings. What this does not
 * promise: stored strings of different cost are told apart by the time they take, a password that was verified before is
 * answered sooner, and the limits of {@linkcode authenticateBasic} hold.
 *
 * @param token `request["Authorization"]`, with `Basic ` (in any letter case, with any number of spaces) or without
 * @param users What {@linkcode hashPassword} made of the password of each user
 * @returns False for a wrong password, an unknown user, another scheme, an absent or malformed token
 * @throws {TypeError} (rejects) If `users` is neither a Record nor a Map
 * @throws {SyntaxError} (rejects) If what is stored is no string of {@linkcode hashPassword}, or asks for too much
 * @throws {Deno.errors.Busy} (rejects) If 32 passwords wait already
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { hashPassword, verifyBasic } from "@webserver-dat/server/auth";
 *
 * const users = { Aladdin: await hashPassword("open sesame") };
 * assert(await verifyBasic("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", users));
 * assert(!await verifyBasic(undefined, users));
 * ```
 */
export async function verifyBasic(token: string | null | undefined, users: UserPasswords): Promise<boolean> {
  checkUsers(users, "users");
  const sent = credentials(token);
  if (sent === undefined) return false;
  const { user, password } = sent;
  const own = passwordOf(user, users);
  const [first] = users instanceof Map ? users.values() : Object.values(users as Record<string, string>);
  // Without any user there is none to be told from the others.
  const stored = own ?? first;
  if (stored === undefined) return false;
  return await remembered(
    [user, password, stored],
    async () => await verifyPassword(password, stored) && own !== undefined,
  );
}

/**
 * Makes a response ask for user and password: status 401, and `WWW-Authenticate: Basic realm="...", charset="UTF-8"`.
 *
 * @param response The response of `onHTTPRequest` or `onWebSocketRequest`
 * @param realm What the password is for; browsers keep one password for each realm of a host, and some show it
 * @returns `response`
 * @throws {RangeError} If `realm` contains anything but printable ASCII, for which the header has no encoding
 *
 * @example
 * ```ts
 * import { challenge } from "@webserver-dat/server/auth";
 *
 * const response = challenge({ statusCode: 404, statusReason: "Not Found", data: "" }, "panel");
 * console.log(response["WWW-Authenticate"]); // Basic realm="panel", charset="UTF-8"
 * ```
 */
export function challenge(response: ResponseDictionary, realm: string): ResponseDictionary {
  if (!/^[\x20-\x7e]*$/.test(realm)) {
    throw new RangeError(`Cannot challenge: the realm ${JSON.stringify(realm)} is not all printable ASCII characters`);
  }
  response.statusCode = 401;
  response.statusReason = "Unauthorized";
  response["WWW-Authenticate"] = `Basic realm="${realm.replaceAll(/["\\]/g, "\\$&")}", charset="UTF-8"`;
  return response;
}
