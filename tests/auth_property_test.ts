/** `authenticateBasic` and `challenge` for whatever text there is, against a second opinion. */

import { assert, assertEquals } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import fc from "npm:fast-check@4.10.2";
import { Buffer } from "node:buffer";
import { authenticateBasic, challenge } from "../auth.ts";

// deno-lint-ignore no-control-regex -- control characters are what may not be in it
const plain = (text: string) => !/[\x00-\x1f\x7f]/.test(text);
const text = fc.oneof(fc.string(), fc.string({ unit: "grapheme" }), fc.string({ unit: "binary" })).filter(plain);
const userName = text.filter((name) => !name.includes(":"));
const encode = (user: string, password: string) => encodeBase64(`${user}:${password}`);

/** User and password of a token, as Node's lenient decoder reads them: a token that is admitted must at least agree with that. */
function secondOpinion(token: string): [string, string] {
  const decoded = Buffer.from(token.replace(/^basic +/i, ""), "base64")
    .toString();
  const colon = decoded.indexOf(":");
  return [decoded.slice(0, colon), decoded.slice(colon + 1)];
}

Deno.test("authenticateBasic() admits any user who sends the right name and password", () => {
  const scheme = fc.constantFrom("", "Basic ", "basic  ", "BASIC   ");
  fc.assert(fc.property(userName, text, scheme, (user, password, scheme) => {
    const token = scheme + encode(user, password);
    assert(authenticateBasic(token, new Map([[user, password]])));
    assert(authenticateBasic(token, Object.fromEntries([[user, password]])));
  }));
});

Deno.test("authenticateBasic() admits nobody with another password or another user's name", () => {
  fc.assert(fc.property(userName, text, userName, text, (user, password, otherUser, otherPassword) => {
    const token = encode(otherUser, otherPassword);
    const same = user === otherUser && password === otherPassword;
    assertEquals(authenticateBasic(token, new Map([[user, password]])), same);
    assertEquals(authenticateBasic(token, Object.fromEntries([[user, password]])), same);
  }));
});

Deno.test("authenticateBasic() throws for none of 100,000 tokens, and admits only the right ones", () => {
  const users = { a: "b", "": "", operator: "stage left" };
  const right = Object.entries(users).map(([user, password]) => encode(user, password));
  const damaged = fc.tuple(fc.constantFrom(...right), fc.nat(16), fc.nat(3), fc.string({ maxLength: 3 }))
    .map(([token, at, removed, added]) => token.slice(0, at) + added + token.slice(at + removed));
  const alphabet = fc.constantFrom(..."AQYZaopz059+/=-_ :\t\n\0é");
  const body = fc.oneof(damaged, fc.string({ unit: alphabet }), fc.string({ unit: "binary" }), fc.base64String());
  const token = fc.oneof(
    body,
    fc.tuple(fc.constantFrom("Basic ", "basic  ", "Bearer ", "Basic"), body).map((all) => all.join("")),
  );
  let admitted = 0;
  fc.assert(
    fc.property(token, (token) => {
      if (!authenticateBasic(token, users)) return;
      admitted++;
      const [user, password] = secondOpinion(token);
      assert(Object.hasOwn(users, user), token);
      assertEquals(password, (users as Record<string, unknown>)[user]);
    }),
    { numRuns: 100_000 },
  );
  assert(admitted > 0, "the fuzz has met no right token, so it has shown nothing of them");
});

Deno.test("challenge() gives a header of one quoted realm, whatever printable text that is", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme-ascii" }), (realm) => {
    const header = challenge({ statusCode: 404, statusReason: "", data: "" }, realm)["WWW-Authenticate"] as string;
    const [, quoted] = /^Basic realm="((?:[^"\\]|\\.)*)", charset="UTF-8"$/.exec(header)!;
    assertEquals(quoted!.replaceAll(/\\(.)/g, "$1"), realm);
  }));
});
