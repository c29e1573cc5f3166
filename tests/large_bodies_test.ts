/** Large bodies arrive and leave unchanged, although the server uses their memory again. */

import { assert, assertEquals } from "@std/assert";
import { tlsTest } from "./certificates.ts";
import { running } from "./helpers.ts";
import { startSource } from "./program.ts";
import { LINUX, testWith } from "./programs.ts";
import { residentMemory } from "./support/usage.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const PARALLEL = 6;

/** Bytes that differ for each seed. */
function bytesOf(seed: number, length: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = seed + 1;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  return new Uint8Array(words.buffer, 0, length);
}

/** A text with characters of one to four bytes and lone surrogates, at irregular distances. */
function textOf(seed: number, length: number): string {
  const parts = ["a", "é", "€", "😀", "\ud83d", "\ude00", "plain text of many letters ".repeat(40)];
  let text = "";
  for (let index = seed; text.length < length; index = (index * 7 + 3) % 101) text += parts[index % parts.length];
  return text;
}

async function digest(data: BufferSource): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data)).toHex();
}

/** Answers with the length, the size of the buffer and the digest of what arrived. */
function receiving() {
  return running({
    async onHTTPRequest(_webServer, { data }) {
      return Response.json([data.length, data.buffer.byteLength, await digest(data)]);
    },
  });
}

const LENGTHS = [1, KiB, 64 * KiB - 1, 64 * KiB, 128 * KiB, 512 * KiB + 1, MiB - 1, MiB, MiB + 1, 5 * MiB + 77];

Deno.test("uploads of a known length arrive unchanged, many at once and in pieces of any size", async () => {
  await using subject = await receiving();
  await Promise.all(Array.from({ length: PARALLEL }, async (_, client) => {
    using connection = await Deno.connect({ port: subject.port, hostname: "127.0.0.1" });
    for (const [index, length] of LENGTHS.entries()) {
      const body = bytesOf(100 * client + index, length);
      const head = `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;
      await connection.write(new TextEncoder().encode(head));
      const piece = [length, 1000, 70_001, 200_003, 65_536, 131_072][client]!;
      for (let at = 0; at < length;) at += await connection.write(body.subarray(at, at + piece));
      const [, answer] = /\r\n\r\n(.*\])$/s.exec(await answerOn(connection))!;
      assertEquals(JSON.parse(answer!), [length, length, await digest(body)]);
    }
  }));
  assertEquals(subject.errors, []);
});

/** The answer, which ends in `]`. */
async function answerOn(connection: Deno.TcpConn): Promise<string> {
  const buffer = new Uint8Array(KiB);
  let answer = "";
  while (!answer.endsWith("]")) {
    const read = await connection.read(buffer);
    assert(read !== null, answer);
    answer += new TextDecoder().decode(buffer.subarray(0, read));
  }
  return answer;
}

Deno.test("uploads of unknown length arrive unchanged, many at once", async () => {
  await using subject = await receiving();
  await Promise.all(Array.from({ length: PARALLEL }, async (_, client) => {
    for (const [index, length] of LENGTHS.entries()) {
      const body = bytesOf(100 * client + index, length);
      const answer = await fetch(subject.url, { method: "POST", body: new Blob([body]).stream() });
      assertEquals(await answer.json(), [length, length, await digest(body)]);
    }
  }));
  assertEquals(subject.errors, []);
});

tlsTest("large uploads over HTTP/2 arrive unchanged, many at once on one connection", async (files) => {
  const pair = await files.pair();
  await using subject = await running({
    onHTTPRequest: async (_webServer, { data }) => Response.json([data.length, await digest(data)]),
  }, { secure: true, ...pair });
  using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(pair.certificate)], http1: false });
  await Promise.all(Array.from({ length: PARALLEL }, async (_, seed) => {
    const body = bytesOf(seed, 2 * MiB + seed);
    const answer = await fetch(subject.url, { method: "POST", body, client });
    assertEquals(await answer.json(), [body.length, await digest(body)]);
  }));
});

Deno.test("the data of a request stays unchanged while others arrive, and can be transferred", async () => {
  const kept: Uint8Array<ArrayBuffer>[] = [];
  await using subject = await running({
    onHTTPRequest(_webServer, { data }) {
      kept.push(data);
      return new Response("kept");
    },
  });
  const bodies = Array.from({ length: 12 }, (_, seed) => bytesOf(seed, 300 * KiB + seed));
  for (const body of bodies) {
    await (await fetch(subject.url, { method: "POST", body })).text();
    await (await fetch(subject.url, { method: "POST", body: new Blob([body]).stream() })).text();
  }
  assertEquals(kept.length, 2 * bodies.length);
  for (const [index, data] of kept.entries()) {
    const own = structuredClone(data, { transfer: [data.buffer] });
    assertEquals(await digest(own), await digest(bodies[index >> 1]!));
  }
});

Deno.test('body: "stream": a callback can keep the chunks of a large upload', async () => {
  await using subject = await running({
    onHTTPRequest: async (_webServer, { raw }) => new Response(new Blob(await Array.fromAsync(raw.body!))),
  }, { body: "stream" });
  const body = bytesOf(1, 3 * MiB);
  const answer = await fetch(subject.url, { method: "POST", body });
  assertEquals(await digest(await answer.bytes()), await digest(body));
});

Deno.test("a body that a function around fetch has made longer than its content-length arrives whole", async () => {
  await using subject = await receiving();
  const body = bytesOf(1, 3 * MiB);
  for (const announced of [1, 64 * KiB, MiB, 3 * MiB - 1]) {
    const headers = { "content-length": String(announced) };
    const answer = await subject.server.fetch(
      new Request(subject.url, { method: "POST", headers, body: new Blob([body]) }),
    );
    assertEquals(await answer.json(), [body.length, body.length, await digest(body)]);
  }
});

/** What is sent for a seed: a long text, and a Blob of several parts. */
const SENT: Record<string, (seed: number) => string | Blob> = {
  "/text": (seed) => textOf(seed, 3 * MiB),
  "/blob": (seed) => new Blob(["<", bytesOf(seed, 2 * MiB), textOf(seed, 3 * MiB), bytesOf(seed, 70_000), ">"]),
};

/** The length of what is sent, and its digest. */
async function wanted(path: string, seed: number): Promise<[number, string]> {
  const bytes = await new Blob([SENT[path]!(seed)]).bytes();
  return [bytes.length, await digest(bytes)];
}

function answering(parameters = {}) {
  return running({
    onHTTPRequest: (_webServer, { uri, pars }) => ({
      statusCode: 200,
      "Content-Type": "text/plain",
      data: SENT[uri]!(Number(pars["seed"])),
    }),
  }, parameters);
}

/** Reads an answer with a pause now and then, so that it waits in the server, and compares all of it. */
async function compare(origin: string, path: string, seed: number, client?: Deno.HttpClient): Promise<void> {
  const answer = await fetch(`${origin}${path}?seed=${seed}`, client && { client });
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of answer.body!) {
    pieces.push(piece);
    if (pieces.length % 16 === 0) await new Promise((resolve) => setTimeout(resolve));
  }
  const bytes = await new Blob(pieces).bytes();
  assertEquals([bytes.length, await digest(bytes)], await wanted(path, seed), path);
}

/** Compares many answers of each kind at once. */
async function compareMany(url: string, client?: Deno.HttpClient): Promise<void> {
  const { origin } = new URL(url);
  const seeds = Array.from({ length: PARALLEL }, (_, seed) => seed);
  await Promise.all(Object.keys(SENT).flatMap((path) => seeds.map((seed) => compare(origin, path, seed, client))));
}

for (const compression of [false, true]) {
  Deno.test(`long texts and Blobs are sent unchanged, many at once, ${compression ? "" : "not "}compressed`, async () => {
    await using subject = await answering({ compression });
    await compareMany(subject.url);
    assertEquals(subject.errors, []);
  });
}

for (const [version, options] of [["HTTP/1.1", { http2: false }], ["HTTP/2", { http1: false }]] as const) {
  tlsTest(`long texts and Blobs are sent unchanged, many at once, over TLS with ${version}`, async (files) => {
    const pair = await files.pair();
    await using subject = await answering({ secure: true, ...pair });
    using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(pair.certificate)], ...options });
    await compareMany(subject.url, client);
  });
}

Deno.test("a function around fetch can clone and read an answer with a long text or a Blob, or send its bytes in another", async () => {
  await using subject = await answering();
  const { server } = subject;
  await server.stop();
  const { fetch: inner } = server;
  const clones: Promise<Uint8Array<ArrayBuffer>>[] = [];
  server.fetch = async (request, info) => {
    const answer = await inner(request, info);
    if (request.url.includes("again")) return new Response(await answer.bytes());
    clones.push(answer.clone().bytes());
    return answer;
  };
  await server.start();
  const { origin } = new URL(server.address!.url);
  for (const path of Object.keys(SENT)) {
    await compare(origin, path, 1);
    const again = await (await fetch(`${origin}${path}?seed=1&again`)).bytes();
    const clone = await clones.pop()!;
    assertEquals([await digest(again), await digest(clone)], Array(2).fill((await wanted(path, 1))[1]));
  }
});

Deno.test("a program that calls fetch while the server runs gets a long text or a Blob whole", async () => {
  await using subject = await answering();
  for (const path of Object.keys(SENT)) {
    const answer = await subject.server.fetch(new Request(new URL(`${path}?seed=2`, subject.url)));
    const bytes = await new Blob(await Array.fromAsync(answer.body!)).bytes();
    assertEquals([bytes.length, await digest(bytes)], await wanted(path, 2));
  }
});

/** A Blob whose bytes are elsewhere, and stay there. */
class Elsewhere extends Blob {
  constructor(readonly source: Uint8Array<ArrayBuffer>) {
    super();
  }
  override get size() {
    return this.source.length;
  }
  override slice(start?: number, end?: number) {
    return new Elsewhere(this.source.subarray(start, end));
  }
  override stream() {
    return new ReadableStream({
      start: (controller) => {
        controller.enqueue(this.source);
        controller.close();
      },
    });
  }
}

Deno.test("a program's own kind of Blob is sent as its stream gives it, and keeps its bytes", async () => {
  const bytes = bytesOf(1, MiB);
  const wanted = await digest(bytes);
  await using subject = await running({ onHTTPRequest: () => ({ statusCode: 200, data: new Elsewhere(bytes) }) });
  for (let round = 0; round < 2; round++) {
    assertEquals(await digest(await (await fetch(subject.url)).bytes()), wanted);
  }
  const part = await fetch(subject.url, { headers: { range: "bytes=1000-299999" } });
  assertEquals([part.status, await digest(await part.bytes())], [206, await digest(bytes.subarray(1000, 300_000))]);
});

/** The number of clients that read nothing of a large answer. */
const READERS = 64;

testWith([LINUX], "clients that read nothing of a Blob cost a section of it each, not a copy", async () => {
  await using program = await startSource(`
const data = new Blob([new Uint8Array(8 * 1024 * 1024)]);
const server = new WebServer({
  port: 0,
  localaddress: "127.0.0.1",
  callbacks: { onHTTPRequest: () => ({ statusCode: 200, data }) },
});
await server.start();
console.log(server.address.port);
`);
  const connect = async () => {
    const connection = await Deno.connect({ port: program.port, hostname: "127.0.0.1" });
    await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    await connection.read(new Uint8Array(1));
    return connection;
  };
  const clients = [await connect()];
  const before = residentMemory(program.pid);
  while (clients.length < READERS) clients.push(await connect());
  const grown = (residentMemory(program.pid) - before) / MiB;
  for (const client of clients) client.close();
  assert(grown < READERS, `${grown} MiB`);
});
