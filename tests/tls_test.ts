/** TLS on a running server: https and wss, renewed certificates, permissions, a password that is never shown. */

import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { X509Certificate } from "node:crypto";
import { connect as connectTLS } from "node:tls";
import { inspect } from "node:util";
import { type Callbacks, WebServer } from "../mod.ts";
import { type Certificates, get, tlsTest } from "./certificates.ts";
import { deferred, disconnect, once, printed, raw, running, type Subject } from "./helpers.ts";
import { LINUX } from "./programs.ts";
import { output, Program } from "./support/program.ts";

const callbacks: Callbacks = {
  onHTTPRequest: (_webServer, request) =>
    Response.json([request.method, request.uri, request.pars, request.data.length]),
  onWebSocketReceiveText: (webServer, client, data) => webServer.webSocketSendText(client, data),
};

/** The fingerprint of the certificate that clients get to see. */
async function served(port: number): Promise<string> {
  const { promise, resolve, reject } = deferred<string>();
  const socket = connectTLS({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.once("close", () => resolve(fingerprint256));
    socket.destroy();
  });
  socket.on("error", reject);
  return await promise;
}

async function fingerprint(certificate: string): Promise<string> {
  return new X509Certificate(await Deno.readTextFile(certificate)).fingerprint256;
}

async function assertServed({ port }: { port: number }, certificate: string): Promise<void> {
  assertEquals(await served(port), await fingerprint(certificate));
}

/** A pair in the folder, and ways to put other files in its place. */
async function renewable(files: Certificates) {
  const pair = await files.pair("server");
  const next = await files.pair("next");
  return {
    pair,
    async renew() {
      await Deno.copyFile(next.privatekey, pair.privatekey);
      await Deno.copyFile(next.certificate, pair.certificate);
    },
    spoil: () => Deno.writeTextFile(pair.certificate, "no certificate"),
  };
}

/** Waits for the start that brings a certificate. */
class Starts {
  #next = deferred();

  readonly callbacks: Callbacks = {
    ...callbacks,
    onServerStart: () => {
      this.#next.resolve();
      this.#next = deferred();
    },
  };

  /** Resolves when this certificate is served; a file that is written in steps may be loaded more than once. */
  async bring(port: number, certificate: string): Promise<void> {
    const expected = await fingerprint(certificate);
    for (;;) {
      const { promise } = this.#next;
      // Refused in the middle of a restart.
      if (await served(port).catch(() => undefined) === expected) return;
      await promise;
    }
  }
}

async function openSocket(url: string, certificate: string): Promise<{ socket: WebSocket } & Disposable> {
  const client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(certificate)] });
  const socket = new WebSocket(url.replace("http", "ws"), { client });
  await once(socket, "open");
  return { socket, [Symbol.dispose]: () => client.close() };
}

async function assertEchoes(socket: WebSocket): Promise<void> {
  const echo = once(socket, "message");
  socket.send("hello");
  assertEquals((await echo).data, "hello");
}

tlsTest("a secure server answers https and wss by the same callbacks on the same port", async (files) => {
  const pair = await files.pair();
  await using subject = await running(callbacks, { secure: true, ...pair });
  assertEquals(subject.url, `https://127.0.0.1:${subject.port}/`);
  assertEquals(await get(`${subject.url}a%20b?x=1`, pair.certificate), '["GET","/a%20b",{"x":"1"},0]');
  using open = await openSocket(`${subject.url}socket`, pair.certificate);
  assertEquals(subject.server.webSocketConnections.length, 1);
  await assertEchoes(open.socket);
  await disconnect(open.socket);
  assertEquals(subject.errors, []);
});

tlsTest("set({ secure }) turns TLS on and off on the port the server has", async (files) => {
  const pair = await files.pair();
  await using subject = await running(callbacks);
  const { server, port } = subject;
  const plain = async () => await (await fetch(`http://127.0.0.1:${port}/`)).text();
  const answer = await plain();
  await server.set({ secure: true, ...pair });
  assertEquals(server.address!.url, `https://127.0.0.1:${port}/`);
  assertEquals(await get(server.address!.url, pair.certificate), answer);
  await assertRejects(plain, TypeError);
  await server.set({ secure: false });
  assertEquals(server.address!.url, `http://127.0.0.1:${port}/`);
  assertEquals(await plain(), answer);
});

tlsTest("on all interfaces the url is https://localhost", async (files) => {
  const pair = await files.pair();
  await using subject = await running(callbacks, { secure: true, localaddress: "", ...pair });
  assertEquals(subject.url, `https://localhost:${subject.port}/`);
  assertEquals(await get(subject.url, pair.certificate), '["GET","/",{},0]');
});

for (const [version, options] of [["HTTP/1.1", { http2: false }], ["HTTP/2", { http1: false }]] as const) {
  tlsTest(`with ${version} the request has its host, under any letter case`, async (files) => {
    const pair = await files.pair();
    await using subject = await running({
      onHTTPRequest: (_webServer, request) =>
        Response.json([
          request["host"],
          request["Host"],
          "host" in request,
          Object.keys(request).filter((key) => key === "host").length,
          request.uri,
          request.raw.url,
          request.serverAddress,
        ]),
    }, { secure: true, ...pair });
    const authority = `localhost:${subject.port}`;
    const url = `https://${authority}/path?x=1`;
    const answer = JSON.parse(await get(url, pair.certificate, options));
    assertEquals(answer, [authority, authority, true, 1, "/path", url, `127.0.0.1:${subject.port}`]);
  });
}

for (const [version, ...flags] of [["2", "--http2"], ["1.1", "--http1.1"], ["2", "--tls-max", "1.2"]] as const) {
  tlsTest(`curl ${flags.join(" ")} gets an answer over HTTP/${version}, and sends a body`, async (files) => {
    const pair = await files.pair();
    await using subject = await running(callbacks, { secure: true, ...pair });
    const curl = async (...more: string[]) => {
      const args = [
        "--silent",
        "--show-error",
        "--cacert",
        pair.certificate,
        ...flags,
        "--write-out",
        " %{http_version}",
      ];
      const { stdout, stderr } = await output("curl", [...args, ...more, subject.url]);
      return stdout + stderr;
    };
    assertEquals(await curl(), `["GET","/",{},0] ${version}`);
    assertEquals(await curl("--data", "x".repeat(100_000)), `["POST","/",{},100000] ${version}`);
  }, ["curl"]);
}

tlsTest("bytes that are not TLS leave other clients unaffected", async (files) => {
  const pair = await files.pair();
  await using subject = await running(callbacks, { secure: true, ...pair });
  const hello = new Uint8Array([0x16, 3, 1, 0xff, 0xff, 1, 0, 0xff]);
  for (const bytes of ["GET / HTTP/1.1\n\n", "\0".repeat(1000), new TextDecoder("latin1").decode(hello)]) {
    // Half a handshake is waited for, so this client leaves by itself.
    if (bytes.startsWith("\x16")) (await Deno.connect({ port: subject.port })).close();
    else await raw(subject.port, bytes).catch(() => {});
  }
  assertEquals(await get(subject.url, pair.certificate), '["GET","/",{},0]');
  assertEquals([subject.errors, subject.server.active], [[], true]);
});

for (
  const [what, valid, sentence, refused] of [
    [
      "has expired",
      ["20200101000000Z", "20210101000000Z"],
      "expired on 2021-01-01T00:00:00.000Z",
      "certificate expired",
    ],
    [
      "is not valid yet",
      ["20980101000000Z", "20990101000000Z"],
      "is not valid before 2098-01-01T00:00:00.000Z",
      "certificate not valid yet",
    ],
  ] as const
) {
  tlsTest(`a certificate that ${what} is served, with a warning`, async (files) => {
    const pair = await files.pair("server", { valid });
    let subject: Subject | undefined;
    const lines = await printed("warn", async () => {
      subject = await running(callbacks, { secure: true, ...pair });
    });
    await using running_ = subject!;
    assertEquals([lines.length, running_.server.info().warnings, running_.errors], [1, 1, []]);
    assertStringIncludes(
      lines[0]!.join(" "),
      `The certificate in "${pair.certificate}" ${sentence}: clients refuse it`,
    );
    await assertServed(running_, pair.certificate);
    const error = await assertRejects(() => get(running_.url, pair.certificate), TypeError);
    assertStringIncludes(String(error.cause), refused);
  });
}

tlsTest("a chain whose second certificate has expired is served, with a warning", async (files) => {
  const valid = ["20200101000000Z", "20210101000000Z"] as const;
  const issuer = await files.pair("issuer", { authority: true, valid });
  const leaf = await files.pair("leaf", { issuer });
  const texts = await Promise.all([leaf, issuer].map((pair) => Deno.readTextFile(pair.certificate)));
  const certificate = await files.write("chain.crt", texts.join(""));
  const lines = await printed("warn", async () => {
    await using subject = await running(callbacks, { secure: true, ...leaf, certificate });
    assertEquals(subject.server.info().warnings, 1);
  });
  assertStringIncludes(lines[0]!.join(" "), `Certificate 2 in "${certificate}" expired on 2021-01-01T00:00:00.000Z`);
});

tlsTest("restart() uses a renewed certificate, on the same port", async (files) => {
  const { pair, renew } = await renewable(files);
  await using subject = await running(callbacks, { secure: true, ...pair });
  const before = await fingerprint(pair.certificate);
  assertEquals(await served(subject.port), before);
  await renew();
  assertEquals(await served(subject.port), before);
  await subject.server.restart();
  assertNotEquals(await fingerprint(pair.certificate), before);
  assertEquals(subject.server.address!.port, subject.port);
  await assertServed(subject, pair.certificate);
  assertEquals(await get(subject.url, pair.certificate), '["GET","/",{},0]');
});

tlsTest("restart() with a bad renewed certificate leaves the old one serving, sockets included", async (files) => {
  const { pair, spoil: garble } = await renewable(files);
  await using subject = await running(callbacks, { secure: true, ...pair });
  const before = await fingerprint(pair.certificate);
  using open = await openSocket(subject.url, pair.certificate);
  const spoilings = [[garble, "is not a PEM file"], [() => Deno.remove(pair.certificate), "does not exist"]] as const;
  for (const [spoil, what] of spoilings) {
    await spoil();
    const error = await assertRejects(() => subject.server.restart(), Error);
    assertStringIncludes(error.message, `Cannot use parameter "certificate": "${pair.certificate}" ${what}`);
    assertEquals(subject.errors.splice(0).map(({ name, error }) => [name, error]), [["restart", error]]);
    assertEquals(await served(subject.port), before);
    await assertEchoes(open.socket);
  }
  assertEquals([subject.server.active, subject.server.address!.url], [true, subject.url]);
  await disconnect(open.socket);
});

tlsTest("set() of other files serves those; of bad ones, changes nothing", async (files) => {
  const pair = await files.pair("server");
  const other = await files.pair("other");
  await using subject = await running(callbacks, { secure: true, ...pair });
  const { server } = subject;
  using open = await openSocket(subject.url, pair.certificate);
  for (const bad of [{ certificate: other.certificate }, { privatekey: "" }, { privatekey: files.path("absent") }]) {
    await assertRejects(() => server.set({ name: "changed", ...bad }), Error);
    const { name, privatekey, certificate } = server.parameters;
    assertEquals({ name, privatekey, certificate }, { name: "webserver1", ...pair });
    await assertServed(subject, pair.certificate);
    await assertEchoes(open.socket);
  }
  const closed = once(open.socket, "close");
  await server.set(other);
  assertEquals((await closed).code, 1001);
  assertEquals(server.address!.url, subject.url);
  await assertServed(subject, other.certificate);
});

tlsTest("the files are ignored while secure is off, and read only at the start", async (files) => {
  const server = new WebServer({
    port: 0,
    localaddress: "127.0.0.1",
    privatekey: files.path("server.key"),
    certificate: files.path("server.crt"),
    callbacks,
  });
  await server.start();
  await server.stop();
  await server.set({ secure: true });
  const pair = await files.pair("server");
  await using _stop = server;
  await server.start();
  await Deno.remove(pair.privatekey);
  const text = await Deno.readTextFile(pair.certificate);
  await Deno.remove(pair.certificate);
  using client = Deno.createHttpClient({ caCerts: [text] });
  for (let count = 0; count < 3; count++) {
    assertEquals(await (await fetch(server.address!.url, { client })).json(), ["GET", "/", {}, 0]);
  }
});

for (
  const [way, replace] of [
    ["is saved", (from: string, to: string) => Deno.copyFile(from, to)],
    ["is put in its place by a rename", (from: string, to: string) => Deno.rename(from, to)],
  ] as const
) {
  tlsTest(`with watch, a renewed certificate that ${way} is used`, async (files) => {
    const pair = await files.pair("server");
    const starts = new Starts();
    await using subject = await running(starts.callbacks, { secure: true, watch: true, ...pair });
    for (const name of ["next.crt", "last.crt"]) {
      // For the same key, so that only one file has to be saved.
      const next = await files.certificate(pair.privatekey, {}, name);
      await replace(next, pair.certificate);
      await starts.bring(subject.port, pair.certificate);
    }
    assertEquals(subject.server.address!.url, subject.url);
    assertEquals(await get(subject.url, pair.certificate), '["GET","/",{},0]');
  });
}

tlsTest(
  "with watch, a bad renewed certificate leaves the old one serving, and a good one later is used",
  async (files) => {
    const pair = await files.pair("server");
    const next = await files.certificate(pair.privatekey, {}, "next.crt");
    const failed = deferred<Error>();
    const starts = new Starts();
    await using subject = await running({
      ...starts.callbacks,
      onError: (_webServer, error) => failed.resolve(error as Error),
    }, { secure: true, watch: true, ...pair });
    const before = await fingerprint(pair.certificate);
    using open = await openSocket(subject.url, pair.certificate);
    await Deno.writeTextFile(pair.certificate, "no certificate");
    assertStringIncludes(
      (await failed.promise).message,
      `Cannot use parameter "certificate": "${pair.certificate}" is `,
    );
    assertEquals(await served(subject.port), before);
    await assertEchoes(open.socket);
    assert(subject.server.info().errors > 0);
    await Deno.copyFile(next, pair.certificate);
    await starts.bring(subject.port, next);
  },
);

/** The project's settings, for a program outside of it. */
const settings = ["config=../deno.json", "lock=deno.lock"].map((flag) => {
  const [name, file] = flag.split("=");
  return `--${name}=${import.meta.dirname}/${file!}`;
});

/** Arguments of Deno for a program in the folder that starts a server, asks it once, prints the answer or the error. */
async function program(files: Certificates, flags: string[]): Promise<string[]> {
  await Deno.mkdir(files.path("certs"));
  const pair = await files.pair("certs/server");
  const text = await Deno.readTextFile(pair.certificate);
  await files.write(
    "program.ts",
    `import { WebServer } from ${JSON.stringify(new URL("../mod.ts", import.meta.url).href)};
const server = new WebServer({
  port: 0,
  localaddress: "127.0.0.1",
  secure: true,
  privatekey: "certs/server.key",
  certificate: "certs/server.crt",
  callbacks: { onHTTPRequest: () => new Response("hello"), onError() {} },
});
console.log("made");
try {
  await server.start();
  using client = Deno.createHttpClient({ caCerts: [${JSON.stringify(text)}] });
  console.log(await (await fetch(server.address.url, { client })).text());
  await server.stop();
} catch (error) {
  console.log(error.name + ": " + error.message);
}
`,
  );
  return ["run", "--quiet", "--no-check", ...settings, "--allow-net=127.0.0.1", ...flags, "program.ts"];
}

/** What the program prints. */
async function printedBy(files: Certificates, flags: string[]): Promise<string> {
  const { stdout, stderr } = await output(Deno.execPath(), await program(files, flags), { cwd: files.folder });
  return stdout + stderr;
}

const FLAG = "--allow-read=certs/server.key,certs/server.crt";

tlsTest("the start reads only the two files", async (files) => {
  assertEquals(await printedBy(files, [FLAG]), "made\nhello\n");
});

for (
  const [what, file, flags] of [
    ["without", "certs/server.key", []],
    ["with half of", "certs/server.crt", ["--allow-read=certs/server.key"]],
    ["with --no-prompt and without", "certs/server.key", ["--no-prompt"]],
  ] as const
) {
  tlsTest(`${what} the permission to read, the error of the start has the exact flag`, async (files) => {
    const [parameter] = file.endsWith("key") ? ["privatekey"] : ["certificate"];
    const sentence = `Cannot use parameter "${parameter}": "${file}" cannot be read: run Deno with ${FLAG}`;
    assertEquals(await printedBy(files, [...flags]), `made\nNotCapable: ${sentence}\n`);
  });
}

tlsTest("the flag is quoted for a shell if a path has a space", async (files) => {
  const flag = /run Deno with (--allow-read='[^']* [^']*')$/;
  const text = await printedBy(files, []);
  assert(!flag.test(text));
  const source = (await Deno.readTextFile(files.path("program.ts"))).replaceAll("certs/", "my certs/");
  await files.write("program.ts", source);
  const args = ["run", "--quiet", "--no-check", ...settings, "--allow-net=127.0.0.1", "program.ts"];
  const { stdout } = await output(Deno.execPath(), args, { cwd: files.folder });
  assertMatch(stdout.trimEnd(), flag);
});

/** Runs the program in a new terminal, and gives this answer to all its questions; returns what is on the screen. */
async function onTerminal(files: Certificates, answer: "y" | "n"): Promise<string> {
  const command = [Deno.execPath(), ...await program(files, [])].map((word) => `'${word}'`).join(" ");
  await using terminal = new Program("script", ["--quiet", "--command", command, "/dev/null"], {
    cwd: files.folder,
    env: { SHELL: "/bin/sh" },
  });
  // Again and again: Deno asks before it listens, and throws away what was typed until then.
  const typing = setInterval(() => terminal.write(answer).catch(() => {}), 100);
  const { stdout } = await terminal.ended();
  clearInterval(typing);
  return stdout;
}

/** `script` has other arguments on other systems. */
const TERMINAL = [LINUX, "script"];

function asked(text: string): string[] {
  return [
    ...new Set(Array.from(text.matchAll(/requests (.*? access)(?: to "([^"]*)")?/g), ([, ...what]) => what.join(" "))),
  ];
}

tlsTest("on a terminal, Deno asks only for the two files, and the server starts", async (files) => {
  const text = await onTerminal(files, "y");
  assertEquals(asked(text), ["read access certs/server.key", "read access certs/server.crt"]);
  assertMatch(text, /^hello\r?$/m);
}, TERMINAL);

tlsTest("on a terminal, a refusal is asked for once, and its error has the exact flag", async (files) => {
  const text = await onTerminal(files, "n");
  assertEquals(asked(text), ["read access certs/server.key"]);
  const sentence = `Cannot use parameter "privatekey": "certs/server.key" cannot be read: run Deno with ${FLAG}`;
  assertStringIncludes(text, `NotCapable: ${sentence}`);
}, TERMINAL);

const PASSWORD = "hunter2-correct-horse";

/** Every way to print an object. */
function views(value: unknown): string[] {
  const options = { depth: Infinity, iterableLimit: Infinity, strAbbreviateSize: Infinity };
  return [
    Deno.inspect(value),
    Deno.inspect(value, options),
    Deno.inspect(value, { ...options, getters: true, showHidden: true }),
    inspect(value, { depth: Infinity, getters: true, showHidden: true }),
    JSON.stringify(value) ?? "",
    String(value),
  ];
}

tlsTest("code can read the password, but nothing that is printed shows it or the key", async (files) => {
  const { certificate, privatekey: plain } = await files.pair();
  const privatekey = files.path("encrypted.key");
  await files.openssl("pkcs8", "-topk8", "-in", plain, "-out", privatekey, "-passout", `pass:${PASSWORD}`);
  const heard: unknown[] = [];
  await using subject = await running({ ...callbacks, onError: (_webServer, error) => heard.push(error) }, {
    secure: true,
    certificate,
    privatekey,
    password: PASSWORD,
  });
  const { server } = subject;
  assertEquals(server.parameters.password, PASSWORD);
  const secrets = [PASSWORD, (await Deno.readTextFile(plain)).split("\n")[1]!, "PRIVATE KEY-----"];
  const assertHidden = (value: unknown) => {
    for (const view of views(value)) for (const secret of secrets) assert(!view.includes(secret), view);
  };
  assertHidden(server);
  assertHidden(server.parameters);
  assertHidden(server.info());
  const logged = await printed("log", () => Promise.resolve(console.log(server, server.parameters)));
  assertHidden(logged);

  await assertRejects(() => server.set({ password: `wrong ${PASSWORD}` }), Error);
  await assertRejects(() => server.set({ password: [PASSWORD] as never }), TypeError);
  await assertRejects(() => server.set({ password: PASSWORD, certificate: files.path("absent") }), Error);
  await assertRejects(() => server.set({ password: PASSWORD, port: "x" as never }), TypeError);
  assertEquals(heard.length, 4);
  for (const error of heard as Error[]) {
    assertHidden(error);
    assertHidden([error.message, error.stack, error.cause]);
  }
  assertEquals(server.parameters.password, PASSWORD);

  await server.stop();
  assertHidden(server);
  assertHidden(server.parameters);
  assertHidden(new WebServer({ password: PASSWORD }));
});

tlsTest("a start that failed may be tried again once the files are right", async (files) => {
  const pair = await files.pair();
  const text = await Deno.readTextFile(pair.certificate);
  await files.write("server.crt", "");
  const server = new WebServer({
    port: 0,
    localaddress: "127.0.0.1",
    secure: true,
    ...pair,
    callbacks: { ...callbacks, onError() {} },
  });
  await using _stop = server;
  await assertRejects(() => server.start(), SyntaxError, "is empty");
  await files.write("server.crt", text);
  await server.start();
  assertEquals(await get(server.address!.url, pair.certificate), '["GET","/",{},0]');
});
