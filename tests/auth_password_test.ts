/** Passwords at rest: `hashPassword`, `verifyPassword`, `verifyBasic`. */

import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { scryptSync } from "node:crypto";
import { hashPassword, verifyBasic, verifyPassword } from "../auth.ts";

const token = (credentials: string) => `Basic ${encodeBase64(credentials)}`;
const text = (bytes: Uint8Array) => encodeBase64(bytes).replaceAll("=", "");

/** A stored string that is quick to verify, unless its cost says otherwise. */
function cheap(password: string, ln = 4, r = 1, p = 1): string {
  const salt = crypto.getRandomValues(new Uint8Array(16));
  const hash = scryptSync(password, salt, 32, { N: 2 ** ln, r, p, maxmem: 2 ** 30 });
  return `$scrypt$ln=${ln},r=${r},p=${p}$${text(salt)}$${text(hash)}`;
}

/** How many passwords may wait. */
const MAX_WAITING = 32;

/** Fills the queue with guesses and, before the first of them can be over, does `meanwhile`. */
async function whileGuessed<Answers>(users: Record<string, string>, user: string, meanwhile: () => Promise<Answers>) {
  const guesses = Array.from(
    { length: MAX_WAITING },
    (_, index) => verifyBasic(token(`${user}:guess ${index}`), users),
  );
  const answers = await meanwhile();
  assertEquals(new Set(await Promise.all(guesses)), new Set([false]));
  return answers;
}

Deno.test("hashPassword() returns a string with OWASP's cost and a new salt, which verifyPassword() accepts", async () => {
  const [one, other] = [await hashPassword("stage left"), await hashPassword("stage left")];
  assertMatch(one, /^\$scrypt\$ln=15,r=8,p=3\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  assertNotEquals(one, other);
  assert(await verifyPassword("stage left", one));
  assert(!await verifyPassword("stage right", one));
  assert(!await verifyPassword("", one));
});

Deno.test("hashPassword() refuses a password that no client could send, without showing it", async () => {
  for (const password of ["secret\n", "sec\0ret", "secret\x7f"]) {
    const error = await assertRejects(() => hashPassword(password), RangeError, "control characters");
    assert(!error.message.includes("sec"), error.message);
  }
  await assertRejects(() => hashPassword(undefined as never), TypeError, "Cannot hash");
});

Deno.test("verifyPassword() accepts hashes that other programs made", async () => {
  const made: [what: string, password: string, stored: string][] = [
    [
      "RFC 7914, section 12",
      "pleaseletmein",
      "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw",
    ],
    [
      "passlib 1.7",
      "open sesame",
      "$scrypt$ln=14,r=8,p=1$qJXyHgNg7N37X2sNQahVqg$vFnj+aTIc2eevo/aW3vREVBH3W9mqkfz71fao+pctLM",
    ],
    [
      "hashlib.scrypt of Python, in UTF-8",
      "123£",
      "$scrypt$ln=16,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$8+cSsAHVhMUmo6Kv1AqaDfU3nHMpBhfCfCclgyhL+5I",
    ],
  ];
  for (const [what, password, stored] of made) {
    assert(await verifyPassword(password, stored), what);
    assert(!await verifyPassword(`${password} `, stored), what);
  }
});

Deno.test("verifyPassword() treats é as é, in either of Unicode's forms", async () => {
  assert(await verifyPassword("cafe\u0301", cheap("caf\u00e9")));
});

Deno.test("verifyPassword() refuses strings that are malformed or ask for too much, without showing them", async () => {
  const salt = "A".repeat(22);
  const hash = "A".repeat(43);
  const wrong = [
    "",
    "stage left",
    undefined,
    null,
    5,
    {},
    `$scrypt$ln=15,r=8,p=3$${salt}`,
    `$argon2id$v=19$${salt}$${hash}`,
  ]
    .concat(
      ["ln=0,r=8,p=1", "ln=15,r=0,p=1", "ln=15,r=8,p=0", "ln=-1,r=8,p=1", "ln=1e1,r=8,p=1", "ln=15,r=8"].map(cost),
    )
    // 512 MiB, 256 MiB for eight times as long, and what lies beyond any machine
    .concat(["ln=19,r=8,p=1", "ln=18,r=8,p=8", "ln=10,r=8,p=999", "ln=99,r=99,p=99", "ln=63,r=8,p=1"].map(cost))
    .concat([`$scrypt$ln=15,r=8,p=3$${"A".repeat(10)}$${hash}`, `$scrypt$ln=15,r=8,p=3$${salt}$`])
    .concat([
      `$scrypt$ln=15,r=8,p=3$${"A".repeat(1e6)}$${hash}`,
      `$scrypt$ln=15,r=8,p=3$${salt}$${hash}\n`,
      `${cheap("a")}=`,
    ]);
  function cost(parameters: string): string {
    return `$scrypt$${parameters}$${salt}$${hash}`;
  }
  for (const stored of wrong) {
    const error = await assertRejects(() => verifyPassword("a", stored as string), SyntaxError, "hashPassword()");
    assert(!error.message.includes("stage left") && !error.message.includes(salt), error.message);
  }
});

Deno.test("verifyPassword() leaves the event loop free", async () => {
  let turns = 0;
  const timer = setInterval(() => turns++);
  await verifyPassword("a", cheap("a", 16, 8));
  clearInterval(timer);
  assert(turns > 0);
});

Deno.test("verifyPassword() works on one password at a time, in order of arrival", async () => {
  const order: string[] = [];
  await Promise.all([
    verifyPassword("a", cheap("a", 14, 8)).then(() => order.push("dear")),
    verifyPassword("a", cheap("a")).then(() => order.push("cheap")),
    verifyPassword("a", "malformed").catch(() => {}),
    verifyPassword("b", cheap("a")).then(() => order.push("wrong")),
  ]);
  assertEquals(order, ["dear", "cheap", "wrong"]);
});

Deno.test("verifyBasic() admits a user with the password that was hashed, from a Record or a Map", async () => {
  const users = { Aladdin: cheap("open sesame"), test: cheap("123£"), "": cheap("nobody"), empty: cheap("") };
  for (const known of [users, new Map(Object.entries(users))]) {
    assert(await verifyBasic("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", known));
    assert(await verifyBasic("dGVzdDoxMjPCow==", known));
    assert(await verifyBasic(token(":nobody"), known));
    assert(await verifyBasic(token("empty:"), known));
    for (const credentials of ["Aladdin:", "Aladdin:123£", "aladdin:open sesame", ":", "unknown:open sesame"]) {
      assert(!await verifyBasic(token(credentials), known), credentials);
    }
  }
});

Deno.test("verifyBasic() refuses the stored string itself, and invalid tokens", async () => {
  const users = { a: cheap("b") };
  assert(!await verifyBasic(token(`a:${users.a}`), users));
  for (const value of [undefined, null, "", "Bearer abc", "Basic %%%", token("no colon"), token("a:b\n"), 5 as never]) {
    assert(!await verifyBasic(value, users), String(value));
  }
});

Deno.test("verifyBasic() does not find users in Object's prototype, or anywhere if there are none", async () => {
  for (const name of ["__proto__", "constructor", "toString"]) {
    for (const users of [{}, new Map(), { a: cheap("b") }]) {
      for (const password of ["", "b", "undefined"]) {
        assert(!await verifyBasic(token(`${name}:${password}`), users), name);
      }
    }
  }
});

Deno.test("verifyBasic() admits no other user with the first user's password, however often it is tried", async () => {
  const users = { first: cheap("secret"), second: cheap("another") };
  for (let time = 0; time < 3; time++) {
    assert(!await verifyBasic(token("unknown:secret"), users));
    assert(!await verifyBasic(token("second:secret"), users));
    assert(await verifyBasic(token("first:secret"), users));
  }
});

Deno.test("verifyBasic() rejects if a stored password is not hashed", async () => {
  await assertRejects(() => verifyBasic(token("a:b"), { a: "b" }), SyntaxError, "hashPassword()");
  // A user whom nobody has heard of finds the mistake too.
  await assertRejects(() => verifyBasic(token("unknown:b"), { a: "b" }), SyntaxError, "hashPassword()");
});

Deno.test("verifyBasic() rejects with a TypeError for users of the wrong type", async () => {
  for (const users of [undefined, null, "a"]) {
    await assertRejects(() => verifyBasic(token("a:b"), users as never), TypeError, "`users`");
  }
});

Deno.test("verifyBasic() forgets a user at once when the stored string has changed or is gone", async () => {
  const users: Record<string, string> = { a: cheap("old"), other: cheap("other") };
  assert(await verifyBasic(token("a:old"), users));
  assert(await verifyBasic(token("a:old"), users));
  users["a"] = cheap("new");
  assert(!await verifyBasic(token("a:old"), users));
  assert(await verifyBasic(token("a:new"), users));
  delete users["a"];
  assert(!await verifyBasic(token("a:new"), users));
});

Deno.test("verifyBasic() rejects with Busy while 32 passwords wait, those of unknown users too, and recovers", async () => {
  const users = { operator: cheap("right") };
  for (const guessed of ["operator", "unknown"]) {
    await whileGuessed(users, guessed, () =>
      Promise.all([
        assertRejects(() => verifyBasic(token("operator:right"), users), Deno.errors.Busy, "Cannot check a password"),
        assertRejects(() => verifyBasic(token("unknown:x"), users), Deno.errors.Busy),
        assertRejects(() => hashPassword("x"), Deno.errors.Busy),
      ]));
  }
  assert(await verifyBasic(token("operator:right"), users));
});

Deno.test("verifyBasic() keeps admitting logged-in users while others guess passwords", async () => {
  const users = { operator: cheap("right") };
  assert(await verifyBasic(token("operator:right"), users));
  await whileGuessed(users, "operator", () =>
    Promise.all([
      verifyBasic(token("operator:right"), users).then(assert),
      assertRejects(() => verifyBasic(token("operator:wrong"), users), Deno.errors.Busy),
    ]));
});

Deno.test("verifyBasic() checks equal credentials that arrive at the same time only once, right or wrong", async () => {
  const users = { operator: cheap("right", 10, 8) };
  for (
    const [credentials, expected] of [["operator:right", true], ["operator:wrong", false], ["x:y", false]] as const
  ) {
    const answers = await Promise.all(Array.from({ length: 200 }, () => verifyBasic(token(credentials), users)));
    assertEquals(new Set(answers), new Set([expected]), credentials);
  }
});

Deno.test("verifyBasic() remembers the last 1,024 right credentials, and still accepts the others", async () => {
  const users = new Map(Array.from({ length: 1_100 }, (_, index) => [`user${index}`, cheap("x", 1)]));
  for (const user of users.keys()) assert(await verifyBasic(token(`${user}:x`), users), user);
  await whileGuessed({ operator: cheap("right") }, "operator", () =>
    Promise.all([
      verifyBasic(token("user1099:x"), users).then(assert),
      assertRejects(() => verifyBasic(token("user0:x"), users), Deno.errors.Busy),
    ]));
  assert(await verifyBasic(token("user0:x"), users));
});
