/** Large bodies arrive and leave unchanged, although the memory of one is soon that of another. */

import { assert, assertEquals } from "@std/assert";
import { tlsTest } from "./certificates.ts";
import { running } from "./helpers.ts";
import { startSource } from "./program.ts";
import { LINUX, testWith } from "./programs.ts";
import { residentMemory } from "./support/usage.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const PARALLEL = 6;

/** Bytes that no other seed has, in any place. */
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

/** A text with characters of one to four bytes, and halves of such, at no regular distance. */
function textOf(seed: number, length: number): string {
  const parts = ["a", "é", "€", "😀", "\ud83d", "\ude00", "plain text of many letters ".repeat(40)];
  let text = "";
  for (let index = seed; text.length < length; index = (index * 7 + 3) % 101) text += parts[index % parts.length];
  return text;
}

async function digest(data: BufferSource): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data)).toHex();
}

/** Answers with what arrived. */
function receiving() {
  return running({
    async onHTTPRequest(_webServer, { data }) {
      return Response.json([data.length, data.buffer.byteLength, await digest(data)]);
    },
  });
}

const LENGTHS = [1, KiB, 64 * KiB - 1, 64 * KiB, 128 * KiB, 512 * KiB + 1, MiB - 1, MiB, MiB + 1, 5 * MiB + 77];

Deno.test("uploads of a known length arrive as they were sent, many at once and in pieces of any size", async () => {
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

Deno.test("uploads of unknown length arrive as they were sent, many at once", async () => {
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

tlsTest("large uploads over HTTP/2 arrive as they were sent, many at once on one connection", async (files) => {
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

Deno.test("the data of a request stays as it is while others arrive, and can be transferred", async () => {
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
  for (const [index, data] of kept.entries()) {
    const own = structuredClone(data, { transfer: [data.buffer] });
    assertEquals(await digest(own), await digest(bodies[index >> 1]!));
  }
});

/** What is sent: a text, and a Blob of many parts. */
function answering(parameters = {}) {
  return running({
    onHTTPRequest(_webServer, { uri, pars }) {
      const seed = Number(pars["seed"]);
      const text = textOf(seed, 3 * MiB);
      const isBlob = uri === "/blob";
      const data = isBlob ? new Blob(["<", bytesOf(seed, 2 * MiB), text, bytesOf(seed, 70_000), ">"]) : text;
      return { statusCode: 200, "Content-Type": "text/plain", data };
    },
  }, parameters);
}

const WANTED: Record<string, (seed: number) => Blob> = {
  text: (seed) => new Blob([textOf(seed, 3 * MiB)]),
  blob: (seed) => new Blob(["<", bytesOf(seed, 2 * MiB), textOf(seed, 3 * MiB), bytesOf(seed, 70_000), ">"]),
};

/** Reads an answer with a pause now and then, so that it waits in the server, and compares all of it. */
async function compare(url: string, kind: string, seed: number, client?: Deno.HttpClient): Promise<void> {
  const answer = await fetch(`${url}${kind}?seed=${seed}`, client && { client });
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of answer.body!) {
    pieces.push(piece);
    if (pieces.length % 16 === 0) await new Promise((resolve) => setTimeout(resolve));
  }
  const [got, wanted] = [await new Blob(pieces).bytes(), await WANTED[kind]!(seed).bytes()];
  assertEquals([got.length, await digest(got)], [wanted.length, await digest(wanted)], kind);
}

for (const compression of [false, true]) {
  Deno.test(`long texts and Blobs leave as they are, many at once, ${compression ? "" : "not "}compressed`, async () => {
    await using subject = await answering({ compression });
    const { url } = subject;
    await Promise.all(
      Array.from({ length: PARALLEL }, (_, seed) => [compare(url, "text", seed), compare(url, "blob", seed)]).flat(),
    );
    assertEquals(subject.errors, []);
  });
}

for (const [version, options] of [["HTTP/1.1", { http2: false }], ["HTTP/2", { http1: false }]] as const) {
  tlsTest(`long texts and Blobs leave as they are, many at once, by TLS with ${version}`, async (files) => {
    const pair = await files.pair();
    await using subject = await answering({ secure: true, ...pair });
    using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(pair.certificate)], ...options });
    const { url } = subject;
    await Promise.all(
      Array.from({ length: PARALLEL }, (_, seed) => [
        compare(url, "text", seed, client),
        compare(url, "blob", seed, client),
      ]).flat(),
    );
  });
}

Deno.test("a function around fetch can read, clone and send again the answer with a long text or a Blob", async () => {
  await using outer = await answering();
  await outer.server.stop();
  const { server } = outer;
  const { fetch: inner } = server;
  server.fetch = async (request, info) => {
    const answer = await inner(request, info);
    const clone = answer.clone();
    if (request.url.includes("again")) return new Response(await answer.bytes());
    const seen = clone.bytes();
    void seen.then((bytes) => lengths.push(bytes.length));
    return answer;
  };
  const lengths: number[] = [];
  await server.start();
  const { url } = server.address!;
  const sizes: number[] = [];
  for (const kind of ["text", "blob"]) {
    await compare(url, kind, 1);
    sizes.push(WANTED[kind]!(1).size);
    const again = await (await fetch(`${url}${kind}?seed=1&again`)).bytes();
    assertEquals(await digest(again), await digest(await WANTED[kind]!(1).bytes()));
  }
  assertEquals(lengths, sizes);
});

Deno.test("a program that calls fetch while the server runs gets a long text whole", async () => {
  await using subject = await answering();
  for (const [kind, wanted] of Object.entries(WANTED)) {
    const answer = await subject.server.fetch(new Request(`${subject.url}${kind}?seed=2`));
    const pieces = await Array.fromAsync(answer.body!);
    assertEquals(await digest(await new Blob(pieces).bytes()), await digest(await wanted(2).bytes()));
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

testWith([LINUX], "clients that read nothing of a Blob cost a piece of it each, not a copy", async () => {
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
