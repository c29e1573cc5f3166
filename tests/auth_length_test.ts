/** Passwords far longer than any: they are refused before any work is done on them. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { hashPassword, verifyBasic, verifyPassword } from "../mod.ts";
import { running } from "./helpers.ts";

/** Two marks in the wrong order, which Unicode's normal form has to sort, in quadratic time. */
const MARKS = "\u0327\u0301";
/** Milliseconds, generous for a busy machine: normalizing the text would take seconds. */
const BOUND = 500;

function basic(user: string, password: string): string {
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  return `Basic ${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))}`;
}

/** The fastest of some tries, in milliseconds. */
async function fastest(work: () => Promise<unknown>): Promise<number> {
  let least = Infinity;
  for (let count = 0; count < 3 && least > BOUND; count++) {
    const start = performance.now();
    await work();
    least = Math.min(least, performance.now() - start);
  }
  return least;
}

Deno.test("a password as long as a header can be is answered 401 at once, whether the stored one is clear text or hashed", async () => {
  const users = { operator: await hashPassword("stage left") };
  await using subject = await running({
    async onHTTPRequest(webServer, request) {
      const token = request["Authorization"];
      const right = request.uri === "/plain"
        ? webServer.authenticateBasic(token, { operator: "stage left" })
        : await verifyBasic(token, users);
      return { statusCode: right ? 200 : 401 };
    },
  });
  // 48 KB in base64 are the most.
  const passwords = {
    marks: `a${MARKS.repeat(11_000)}`,
    "marks of one class": `a${"\u0301".repeat(22_000)}`,
    Hangul: "\u1100\u1161\u11a8".repeat(5_000),
    letters: "a".repeat(47_000),
  };
  for (const [what, password] of Object.entries(passwords)) {
    for (const user of ["operator", "nobody"]) {
      for (const uri of ["plain", "hashed"]) {
        const headers = { authorization: basic(user, password) };
        const time = await fastest(async () => {
          const answer = await fetch(subject.url + uri, { headers });
          await answer.body?.cancel();
          assertEquals(answer.status, 401, `${what}, ${uri}`);
        });
        assert(time <= BOUND, `${what}, ${uri}: ${time} ms`);
      }
    }
  }
  // The right one is still right.
  for (const uri of ["plain", "hashed"]) {
    const answer = await fetch(subject.url + uri, { headers: { authorization: basic("operator", "stage left") } });
    await answer.body?.cancel();
    assertEquals(answer.status, 200, uri);
  }
});

Deno.test("hashPassword() hashes 1,024 characters, and refuses more at once without showing them", async () => {
  for (const password of ["a".repeat(1025), MARKS.repeat(100_000), "\ud83d\ude00".repeat(513)]) {
    const time = await fastest(async () => {
      const error = await assertRejects(() => hashPassword(password), RangeError);
      assertEquals(error.message, "Cannot hash the password: it has more than 1024 characters");
    });
    assert(time <= BOUND, `${time} ms`);
  }
  const longest = `a${MARKS.repeat(511)}b`;
  const stored = await hashPassword(longest);
  assertEquals([await verifyPassword(longest, stored), await verifyPassword(`${longest}c`, stored)], [true, false]);
});
