/** Every odd Content-Length gets the right answer, and none affects later bodies. */

import { assert, assertEquals } from "@std/assert";
import { looking } from "./helpers.ts";
import { testWith } from "./programs.ts";
import { output } from "./support/program.ts";

/** Values of the header, after the status of a request whose body has one byte. Several values are several headers. */
const LENGTHS: [status: number, ...values: string[]][] = [
  [200, "1"],
  [200, "01"],
  [200, "  1  "],
  [200, "\t1\t"],
  [200, `${"0".repeat(400)}1`],
  [200, "1", "1"],
  [200, "1", "1", "1"],
  [413, "1001"],
  [413, "9007199254740991"],
  [400, "1", "2"],
  [400, "2", "1"],
  [400, "1", "01"],
  [400, "1", "1001"],
  [400, "1", "1", "2"],
  [400, "1", ""],
  [400, "1", "x"],
  [400, "0", "1"],
  [400, "1001", "1"],
  ...[
    "1,2",
    "1, 2",
    "1,",
    ",1",
    ",",
    "",
    " ",
    "1 1",
    "+1",
    "-1",
    "-0",
    "0x1",
    "0b1",
    "1e0",
    "1e3",
    "1.0",
    "1.",
    ".1",
    "1_0",
    "1n",
    "1;a",
    '"1"',
    "NaN",
    "Infinity",
    "true",
    "null",
    "9007199254740992",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999",
    "9".repeat(400),
    // Digits to Unicode, as UTF-8.
    "\u0661",
    "\uff11",
    "\u00b2",
    "1\0",
    "1\x0b",
    "1\x0c",
  ].map((value): [number, string] => [400, value]),
];

/** Sends a request of these lengths over HTTP/1.1; the status of its answer. */
async function post(port: number, values: string[]): Promise<number> {
  using connection = await Deno.connect({ port, hostname: "127.0.0.1" });
  const headers = ["Host: x", "Connection: close", ...values.map((value) => `Content-Length: ${value}`)];
  await connection.write(new TextEncoder().encode(["POST / HTTP/1.1", ...headers, "", "x"].join("\r\n")));
  const answer = new Uint8Array(1024);
  const length = await connection.read(answer).catch(() => null);
  return length === null ? 0 : Number(new TextDecoder().decode(answer).slice(9, 12));
}

/** The same over HTTP/2; 0 if Deno resets the stream. */
async function postHTTP2(url: string, values: string[]): Promise<number> {
  const headers = values.flatMap((value) => ["--header", `Content-Length:${value === "" ? ";" : ` ${value}`}`]);
  const { code, stdout } = await output("curl", [
    ...["--silent", "--max-time", "20", "--output", "/dev/null", "--write-out", "%{http_code}"],
    ...["--http2-prior-knowledge", ...headers, "--data", "x", url],
  ]);
  assert([0, 92].includes(code), `curl: ${code}`);
  return Number(stdout);
}

for (const body of ["buffer", "stream"] as const) {
  Deno.test(`body: "${body}": every odd length gets the right status over HTTP/1.1, and later bodies are unaffected`, async () => {
    await using subject = await looking((request) => request.text(), { body, maxBodySize: 1000, maxBodyMemory: 1000 });
    for (const [status, ...values] of LENGTHS) {
      assertEquals(await post(subject.port, values), status, JSON.stringify(values));
      for (const size of [1, 1000]) {
        const answer = await fetch(subject.url, { method: "POST", body: "x".repeat(size) });
        assertEquals([answer.status, (await answer.json()).length], [200, size], JSON.stringify(values));
      }
    }
    const large = await fetch(subject.url, { method: "POST", body: "x".repeat(1001) });
    assertEquals(large.status, 413);
    await large.body?.cancel();
    assertEquals(subject.errors, []);
  });

  testWith(
    ["curl"],
    `body: "${body}": every odd length gets the right status over HTTP/2, and later bodies are unaffected`,
    async () => {
      await using subject = await looking((request) => request.text(), {
        body,
        maxBodySize: 1000,
        maxBodyMemory: 1000,
      });
      for (const [status, ...values] of LENGTHS) {
        // HTTP/2 cannot carry these values, or Deno does not accept them.
        if (values.some((value) => /[\0\v\f]|^\s|\s$/.test(value) || value.length > 100)) continue;
        const actual = await postHTTP2(subject.url, values);
        // An empty value counts as no header.
        const isEmpty = values.every((value) => value === "");
        assert(
          [isEmpty ? 200 : status, ...(status === 200 ? [] : [0])].includes(actual),
          JSON.stringify([values, actual]),
        );
        const answer = await fetch(subject.url, { method: "POST", body: "x".repeat(1000) });
        assertEquals([answer.status, (await answer.json()).length], [200, 1000], JSON.stringify(values));
      }
      assertEquals(subject.errors, []);
    },
  );
}
