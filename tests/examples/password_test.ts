import { assertEquals, assertMatch } from "@std/assert";
import { randomPassword } from "../../examples/pages/password.ts";

const passwords = Array.from({ length: 1_000 }, randomPassword);

Deno.test("randomPassword() has 28 letters and digits in groups of four, none mistaken for another", () => {
  for (const password of passwords) assertMatch(password, /^[a-z2-9]{4}(-[a-z2-9]{4}){6}$/);
  // 28 of 32 different ones are 140 bits.
  const letters = new Set(passwords.join("").replaceAll("-", ""));
  assertEquals([letters.size, letters.has("l"), letters.has("o")], [32, false, false]);
});

Deno.test("randomPassword() is another one each time", () => {
  assertEquals(new Set(passwords).size, passwords.length);
});
