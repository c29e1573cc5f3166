/** Stored passwords: the scrypt hash, its salt and its cost in one string. Hashes are computed one at a time, off the event loop. */

import { decodeBase64, encodeBase64 } from "@std/encoding/base64";
import { builtin } from "./engine/deno.ts";

/** The parts of a stored string. */
interface Stored {
  /** The logarithm of scrypt's N, and its r and p. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

/**
 * One of several equally strong settings in OWASP's password storage advice. It takes 32 MiB; the one with 128 MiB would push
 * the other programs of the machine, often a renderer, out of the processor's caches.
 */
const COST = { ln: 15, r: 8, p: 3 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** The format of scrypt hashes that other programs, such as passlib for Python, use too: base64 without padding. */
const FORM = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([a-z0-9+/]{11,86})\$([a-z0-9+/]{22,86})$/i;
// A mistyped or hostile string must not cost gigabytes or minutes. OWASP recommends at most 128 MiB, and a work
// (N times r times p) of 2 ** 20.
const MAX_MEMORY = 2 ** 28;
const MAX_WORK = 2 ** 22;

/** The longest password, in characters: normalizing Unicode takes quadratic time. */
const MAX_LENGTH = 1024;

/** How many passwords may wait: some ten seconds of work, or half a minute on a small machine. */
const MAX_WAITING = 32;

let waiting = 0;
let last: Promise<unknown> = Promise.resolve();

/**
 * Runs scrypt for one password at a time, in order of arrival, so that someone who guesses passwords keeps only one core busy.
 */
function derive(password: string, { ln, r, p }: typeof COST, salt: Uint8Array, bytes: number): Promise<Uint8Array> {
  if (waiting >= MAX_WAITING) {
    return Promise.reject(
      new Deno.errors.Busy(
        `Cannot check a password: ${MAX_WAITING} others are waiting. Answer 503, so that it is tried again`,
      ),
    );
  }
  const { scrypt } = builtin("node:crypto");
  const options = { N: 2 ** ln, r, p, maxmem: 2 * MAX_MEMORY };
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const done = (error: Error | null, hash: Uint8Array) => error ? reject(error) : resolve(hash);
  waiting++;
  const turn = last.then(() => {
    scrypt(password.normalize(), salt, bytes, options, done);
    return promise;
  }).finally(() => waiting--);
  last = turn.catch(() => {});
  return turn;
}

/** The parts of a stored string, or undefined if it is invalid or asks for too much. */
function parse(stored: string): Stored | undefined {
  const [, ln, r, p, salt, hash] = FORM.exec(stored) ?? [];
  if (ln === undefined) return undefined;
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) };
  const block = 2 ** cost.ln * cost.r;
  if (cost.ln < 1 || cost.p < 1 || cost.r < 1 || 128 * block > MAX_MEMORY || block * cost.p > MAX_WORK) {
    return undefined;
  }
  try {
    return { ...cost, salt: decodeBase64(salt!), hash: decodeBase64(hash!) };
  } catch {
    return undefined;
  }
}

/**
 * Turns a password into a string to store instead of it: `$scrypt$ln=15,r=8,p=3$`, a random salt, `$`, and the hash.
 *
 * It uses scrypt at the cost that OWASP's password storage advice recommends: 32 MiB and some tenths of a second of one
 * core, on another thread. The same password gives a different string each time. Passwords are converted to Unicode's normal
 * form C, the one that clients send (RFC 7617, section 2.1).
 *
 * @param password It may be empty
 * @throws {TypeError} (rejects) If it is not a string
 * @throws {RangeError} (rejects) If it has more than 1,024 characters, or control characters, which Basic authentication cannot carry
 * @throws {Deno.errors.Busy} (rejects) If 32 passwords are waiting already
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { hashPassword, verifyPassword } from "@webserver-dat/server/auth";
 *
 * const stored = await hashPassword("stage left");
 * assert(await verifyPassword("stage left", stored));
 * ```
 */
export async function hashPassword(password: string): Promise<string> {
  if (typeof password !== "string") throw new TypeError("Cannot hash the password: it is not a string");
  if (password.length > MAX_LENGTH) {
    throw new RangeError(`Cannot hash the password: it has more than ${MAX_LENGTH} characters`);
  }
  // deno-lint-ignore no-control-regex -- control characters are what it looks for
  if (/[\x00-\x1f\x7f]/.test(password)) {
    throw new RangeError("Cannot hash the password: it contains control characters");
  }
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  const hash = await derive(password, COST, salt, HASH_BYTES);
  const [saltText, hashText] = [salt, hash].map((bytes) => encodeBase64(bytes).replaceAll("=", ""));
  return `$scrypt$ln=${COST.ln},r=${COST.r},p=${COST.p}$${saltText}$${hashText}`;
}

/**
 * Whether a password is the one from which {@linkcode hashPassword} made a string. Strings of the same format with another
 * cost are accepted too, up to 256 MiB and four times the work.
 *
 * @param password The password that was sent
 * @param stored The string that {@linkcode hashPassword} returned
 * @throws {SyntaxError} (rejects) If `stored` is not such a string, or asks for more than that. The message does not show it,
 * since it may be a plain-text password
 * @throws {Deno.errors.Busy} (rejects) If 32 passwords are waiting already. They are checked one at a time, in order of arrival
 */
export async function verifyPassword(password: string, stored: string): Promise<boolean> {
  const parsed = typeof stored === "string" ? parse(stored) : undefined;
  if (parsed === undefined) {
    throw new SyntaxError(
      'Cannot verify a password: the stored string is not one of hashPassword(), such as "$scrypt$ln=15,r=8,p=3$...", or ' +
        "asks for more than 256 MiB or more than four times the work",
    );
  }
  // hashPassword() refuses passwords of this length.
  if (password.length > MAX_LENGTH) return false;
  const hash = await derive(password, parsed, parsed.salt, parsed.hash.length);
  return builtin("node:crypto").timingSafeEqual(hash, parsed.hash);
}
