/** Forms and JSON that take far more time or memory than their bytes. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { looking } from "./helpers.ts";

const MiB = 1 << 20;
const URLENCODED = "application/x-www-form-urlencoded";

async function post(url: string, body: BodyInit, contentType?: string): Promise<[number, string]> {
  const headers: HeadersInit = contentType === undefined ? {} : { "content-type": contentType };
  const answer = await fetch(url, { method: "POST", body, headers });
  return [answer.status, await answer.text()];
}

/** A multipart form of files with nothing in them. */
function files(count: number, boundary = "b"): string {
  const part = `--${boundary}\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n\r\n`;
  return `${part.repeat(count)}--${boundary}--\r\n`;
}

const count = async (request: { formData(): Promise<FormData> }) => [...await request.formData()].length;

for (const body of ["buffer", "stream"] as const) {
  Deno.test(`body: "${body}": a form with more than maxFormFields fields and files is answered 413`, async () => {
    await using subject = await looking(count, { body, maxFormFields: 3 });
    assertEquals(await post(subject.url, "a&b&&c&", URLENCODED), [200, "3"]);
    assertEquals(await post(subject.url, files(3), "multipart/form-data; boundary=b"), [200, "3"]);
    const refused = [413, "413 Content Too Large: The form has more than 3 fields and files\n"];
    assertEquals(await post(subject.url, "a&b&c&d", URLENCODED), refused);
    assertEquals(await post(subject.url, files(4), 'multipart/form-data; boundary="b"'), refused);
    await subject.server.set({ maxFormFields: 4 });
    assertEquals(await post(subject.url, files(4), "multipart/form-data; boundary=b"), [200, "4"]);
    assertEquals(subject.errors, []);
  });

  Deno.test(`body: "${body}": millions of fields or files are refused before they are parsed, and others are answered`, async () => {
    await using subject = await looking(count, { body });
    const before = Deno.memoryUsage().rss;
    const start = performance.now();
    const attacks = [
      ...Array.from({ length: 4 }, () => post(subject.url, "a&".repeat(8 * MiB - 1), URLENCODED)),
      ...Array.from({ length: 6 }, () => post(subject.url, files(200_000), "multipart/form-data; boundary=b")),
    ];
    assertEquals(await post(subject.url, "a=b", URLENCODED), [200, "1"]);
    for (const attack of attacks) assertEquals((await attack)[0], 413);
    const grown = (Deno.memoryUsage().rss - before) / MiB;
    assert(performance.now() - start < 30_000);
    // The bodies themselves are 150 MiB, here and on their way.
    assert(grown < 1_500, `${grown} MiB`);
  });
}

Deno.test("formData() rejects with a TypeError if the body is not a form, which a callback may catch; otherwise the answer is 400", async () => {
  await using subject = await looking(async (request) => {
    if (request.uri === "/caught") return await request.formData().catch((error: Error) => error.name);
    return await count(request);
  });
  for (
    const [type, body] of [
      ["text/plain", "a=b"],
      ["multipart/form-data", "--b\r\n"],
      ["multipart/form-data; boundary=b", "nothing"],
      ["multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nhalf"],
      ["multipart/form-data; boundary=<b>", "--<b>--"],
      ["nonsense", ""],
    ]
  ) {
    const [status, text] = await post(subject.url, body!, type!);
    assertEquals(status, 400, type);
    assertStringIncludes(text, "The body is not a");
  }
  assertEquals(await post(`${subject.url}caught`, "a=b", "text/plain"), [200, '"TypeError"']);
  assertEquals(subject.errors, []);
});

Deno.test("the fields that are counted are those that are parsed, whatever the Content-Type repeats or quotes", async () => {
  await using subject = await looking(count, { maxFormFields: 2 });
  for (
    const [type, boundary] of [
      ["multipart/form-data; boundary=b; boundary=c", "b"],
      ['multipart/form-data; boundary="b c"', "b c"],
      ["Multipart/Form-Data; charset=utf-8; Boundary=b", "b"],
      ["multipart/form-data; boundary=----WebKitFormBoundaryabc", "----WebKitFormBoundaryabc"],
    ]
  ) {
    assertEquals(await post(subject.url, files(2, boundary), type!), [200, "2"], type);
    assertEquals((await post(subject.url, files(3, boundary), type!))[0], 413, type);
  }
});

Deno.test("parts after something that only looks like the last boundary are counted too", async () => {
  await using subject = await looking(count, { maxFormFields: 2 });
  const type = "multipart/form-data; boundary=b";
  for (const fake of ["--b--x\r\n", "--b--\n", "--b-\r\n", "--b--\r"]) {
    assertEquals((await post(subject.url, fake + files(3), type))[0], 413, JSON.stringify(fake));
    assertEquals((await post(subject.url, files(1).replace("--b--\r\n", fake) + files(3), type))[0], 413);
  }
  assertEquals(await post(subject.url, files(2).replace("--b--\r\n", "--b-- \t"), type), [200, "2"]);
});

Deno.test("JSON that is nested too deeply is answered 413, whether it is complete or not", async () => {
  await using subject = await looking(async (request) => JSON.stringify(await request.json()).length);
  const depth = 1_000;
  assertEquals(await post(subject.url, "[".repeat(depth) + "]".repeat(depth)), [200, String(2 * depth)]);
  const refused = [413, "413 Content Too Large: The JSON is nested more than 1000 levels deep\n"];
  assertEquals(await post(subject.url, "[".repeat(depth + 1) + "]".repeat(depth + 1)), refused);
  assertEquals(await post(subject.url, '{"a":'.repeat(3 * MiB)), refused);
  assertEquals(await post(subject.url, "[".repeat(16 * MiB)), refused);
  // Brackets in a string are not nesting.
  assertEquals((await post(subject.url, JSON.stringify(["[".repeat(2_000), '\\"['.repeat(2_000)])))[0], 200);
});

Deno.test("JSON counts in maxBodyMemory with the memory that it needs when parsed", async () => {
  await using subject = await looking(async (request) => (await request.json()).length, { maxBodyMemory: 32 * MiB });
  assertEquals(await post(subject.url, `[${"{},".repeat(MiB)}1]`), [
    503,
    "503 Service Unavailable: Too many request bodies are in memory\n",
  ]);
  // As many bytes in a few strings.
  assertEquals(await post(subject.url, `["${"x".repeat(3 * MiB)}"]`), [200, "1"]);
  for (let round = 0; round < 5; round++) {
    assertEquals(await post(subject.url, `[${"{},".repeat(100_000)}1]`), [200, "100001"]);
  }
});
