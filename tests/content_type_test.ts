/** The content types of strings, objects and lists, and whether browsers may sniff them. */

import { assertEquals } from "@std/assert";
import type { ResponseData } from "../mod.ts";
import { running } from "./helpers.ts";

const HTML = "text/html; charset=utf-8";
const TEXT = "text/plain; charset=utf-8";
const JSON_TYPE = "application/json";

const CASES: [data: ResponseData, type: string][] = [
  ["<p>", HTML],
  [" <p>", HTML],
  ["\t\r\n\f\v <p>", HTML],
  ["\ufeff<p>", HTML],
  ["\ufeff \n<p>", HTML],
  ["\u00a0<p>", HTML],
  ["\u2003\u3000\u2028<p>", HTML],
  ["<", HTML],
  ["\ufeff", TEXT],
  [" ", TEXT],
  ["a<p>", TEXT],
  ["\ufeffa<p>", TEXT],
  ["\u200b<p>", TEXT],
  ["\xe4<p>", TEXT],
  ["&lt;p>", TEXT],
  [`${" ".repeat(100_000)}<p>`, HTML],
  [`${" ".repeat(100_000)}a`, TEXT],
  [{}, JSON_TYPE],
  [[], JSON_TYPE],
  [{ a: "<p>", b: [1, null, true, { c: "gr\xfc\xdf" }] }, JSON_TYPE],
  [["<script>"], JSON_TYPE],
  [[1, "a", undefined], JSON_TYPE],
  [Object.assign(Object.create(null), { a: 1 }), JSON_TYPE],
];

Deno.test("a string, an object and a list are sent with fitting types, which browsers do not sniff, and arrive unchanged", async () => {
  await using subject = await running({
    onHTTPRequest: (_webServer, { uri }) => ({ statusCode: 200, data: CASES[Number(uri.slice(1))]![0] }),
  });
  for (const [index, [data, type]] of CASES.entries()) {
    const answer = await fetch(`${subject.url}${index}`);
    const shown = JSON.stringify(data).slice(0, 40);
    assertEquals(
      [answer.headers.get("content-type"), answer.headers.get("x-content-type-options")],
      [type, "nosniff"],
      shown,
    );
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(await answer.bytes());
    assertEquals(text, typeof data === "string" ? data : JSON.stringify(data), shown);
  }
  assertEquals(subject.errors, []);
});

Deno.test("a callback can set the type of JSON, and its length is counted in bytes", async () => {
  await using subject = await running({
    onHTTPRequest: () => ({ statusCode: 201, data: { text: "gr\xfc\xdf" }, "Content-Type": "application/ld+json" }),
  });
  const answer = await fetch(subject.url);
  assertEquals([answer.status, answer.headers.get("content-type")], [201, "application/ld+json"]);
  assertEquals(answer.headers.get("content-length"), "17");
  assertEquals(await answer.json(), { text: "gr\xfc\xdf" });
});

Deno.test("no nosniff is added if the callback sets the type, and its own sniffing header is kept", async () => {
  await using subject = await running({
    onHTTPRequest: (_webServer, { uri }) =>
      uri === "/own"
        ? { statusCode: 200, data: "<p>", "Content-Type": "text/css" }
        : { statusCode: 200, data: "<p>", "X-Content-Type-Options": "none" },
  });
  const options = async (uri: string) => {
    const answer = await fetch(subject.url + uri);
    await answer.body?.cancel();
    return answer.headers.get("x-content-type-options");
  };
  assertEquals([await options("own"), await options("other")], [null, "none"]);
});
