/** The certificate of examples/secure.ts: how it is made, trusted, kept and renewed. */

import { assertEquals, assertMatch, assertNotEquals, assertStringIncludes } from "@std/assert";
import { generate } from "npm:selfsigned@5.5.0";
import { example } from "../support/example.ts";
import { testWith } from "../programs.ts";
import { output } from "../support/program.ts";

/** A folder for one test, in which the example keeps its files. */
class Folder implements AsyncDisposable {
  constructor(readonly path: string) {}

  start = () => example("examples/secure.ts", { folder: this.path });
  read = (name: string) => Deno.readTextFile(`${this.path}/${name}`);
  write = (name: string, text: string) => Deno.writeTextFile(`${this.path}/${name}`, text);

  /** Starts it once, and stops it. */
  async run(): Promise<string> {
    await using _example = await this.start();
    return await this.read("certificate.pem");
  }

  /** The certificate that a phone should install. */
  async authority(): Promise<string> {
    return (await this.read("certificate.pem")).split(/(?=-----BEGIN)/)[1]!;
  }

  [Symbol.asyncDispose] = () => Deno.remove(this.path, { recursive: true });
}

const folder = async () => new Folder(await Deno.makeTempDir());

const DAY = 24 * 60 * 60 * 1000;

/** A key and certificate that another program might have made, for some addresses and days. */
async function certificateFor(addresses: string[], days: number) {
  const { private: key, cert } = await generate([{ name: "commonName", value: "localhost" }], {
    keyType: "ec",
    algorithm: "sha256",
    notAfterDate: new Date(Date.now() + days * DAY),
    extensions: [{
      name: "subjectAltName",
      altNames: [
        { type: 2, value: "localhost" },
        { type: 2, value: `${Deno.hostname().split(".")[0]}.local` },
        ...addresses.map((ip) => ({ type: 7, ip } as const)),
      ],
    }],
  });
  return { key, cert };
}

const everyAddress = Deno.networkInterfaces().filter(({ family }) => family === "IPv4").map(({ address }) => address);

Deno.test("examples/secure.ts is trusted at each address by clients that trust its authority, and by no others", async () => {
  await using files = await folder();
  await using secure = await files.start();
  assertMatch(secure.url, /^https:/);
  using client = Deno.createHttpClient({ caCerts: [await files.authority()] });
  for (const host of ["127.0.0.1", "localhost"]) {
    const answer = await fetch(`https://${host}:${secure.port}/`, { client });
    assertStringIncludes(await answer.text(), "This page is encrypted");
  }
  let refused = "";
  await fetch(secure.url).catch((error) => refused = Deno.inspect(error));
  assertStringIncludes(refused, "UnknownIssuer");
});

testWith(["curl"], "examples/secure.ts satisfies curl", async () => {
  await using files = await folder();
  await using secure = await files.start();
  await files.write("authority.pem", await files.authority());
  const args = ["-sS", "--cacert", `${files.path}/authority.pem`, `https://localhost:${secure.port}/authority.crt`];
  const { stdout, stderr } = await output("curl", args);
  assertEquals([stdout, stderr], [await files.authority(), ""]);
});

Deno.test("examples/secure.ts offers the authority's certificate, and keeps the key private", async () => {
  await using files = await folder();
  await using secure = await files.start();
  using client = Deno.createHttpClient({ caCerts: [await files.authority()] });
  const answer = await fetch(`${secure.url}authority.crt`, { client });
  assertEquals(answer.headers.get("content-type"), "application/x-x509-ca-cert");
  assertEquals(await answer.text(), await files.authority());
  for (const path of ["key.pem", "certificate.pem"]) {
    const other = await fetch(secure.url + path, { client });
    await other.body?.cancel();
    assertEquals(other.status, 404);
  }
  if (Deno.build.os !== "windows") assertEquals((await Deno.stat(`${files.path}/key.pem`)).mode! & 0o777, 0o600);
});

Deno.test("examples/secure.ts uses the same certificate when it is started again", async () => {
  await using files = await folder();
  assertEquals(await files.run(), await files.run());
});

Deno.test("examples/secure.ts keeps a certificate that covers all addresses and is valid for long, whoever made it", async () => {
  await using files = await folder();
  const { key, cert } = await certificateFor(everyAddress, 90);
  await files.write("key.pem", key);
  await files.write("certificate.pem", cert);
  assertEquals(await files.run(), cert);
});

Deno.test("examples/secure.ts makes a new certificate if the old one does not cover an address", async () => {
  await using files = await folder();
  const { key, cert } = await certificateFor(["192.0.2.99"], 90);
  await files.write("key.pem", key);
  await files.write("certificate.pem", cert);
  assertNotEquals(await files.run(), cert);
  assertNotEquals(await files.read("key.pem"), key);
});

Deno.test("examples/secure.ts makes a new certificate if the old one is about to expire", async () => {
  await using files = await folder();
  const { key, cert } = await certificateFor(everyAddress, 29);
  await files.write("key.pem", key);
  await files.write("certificate.pem", cert);
  assertNotEquals(await files.run(), cert);
});

Deno.test("examples/secure.ts makes a new certificate if the files are damaged or do not belong together", async () => {
  await using files = await folder();
  const first = await files.run();
  await files.write("key.pem", (await certificateFor([], 90)).key);
  const second = await files.run();
  assertNotEquals(second, first);
  await files.write("certificate.pem", "damaged");
  assertNotEquals(await files.run(), second);
});
