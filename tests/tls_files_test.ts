/** The files of TLS: which are accepted, and the one sentence for each that is not. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { WebServer, type WebServerParameters } from "../mod.ts";
import { get, type Pair, tlsTest } from "./certificates.ts";
import { running, utf16 } from "./helpers.ts";
import { run, startProgram } from "./program.ts";
import { output } from "./support/program.ts";
import { UNIX } from "./programs.ts";

const PASSWORD = "correct horse";

const greeting = {
  onHTTPRequest: () => ({ statusCode: 200, data: "hello" }),
};

/** Starts a server with these files, and asks it as a client that trusts its certificate. */
async function assertServes(pair: Pair, password = "", trusted = pair.certificate): Promise<void> {
  await using subject = await running(greeting, { secure: true, ...pair, password });
  assertEquals(await get(subject.url, trusted), "hello");
  assertEquals(subject.server.info().warnings, 0);
}

/** The error of a start that does not come about. */
async function refusal(parameters: Partial<Omit<WebServerParameters, "active">>): Promise<Error> {
  const heard: unknown[] = [];
  const server = new WebServer({
    port: 0,
    localaddress: "127.0.0.1",
    secure: true,
    callbacks: { onError: (_webServer, error) => heard.push(error) },
    ...parameters,
  });
  const error = await assertRejects(() => server.start(), Error);
  assertEquals([server.active, server.address, heard], [false, undefined, [error]]);
  return error;
}

/** Asserts that the start is refused with this sentence, which has the names of the files without their folder. */
async function assertRefused(
  files: { folder: string },
  parameters: Parameters<typeof refusal>[0],
  sentence: string,
): Promise<void> {
  const { message } = await refusal(parameters);
  assertEquals(message.replaceAll(`${files.folder}/`, ""), sentence);
}

const RSA = "-algorithm RSA -pkeyopt rsa_keygen_bits:2048";
const TAKES = "it accepts RSA of 2048 bits and up, EC on P-256, P-384 and P-521, and Ed25519";
const CLOSED =
  'does not open with parameter "password": either the password is wrong, or Deno does not support the encryption ' +
  "(it supports PKCS#8 with PBES2 or scrypt and AES, and the older format of OpenSSL with AES or 3DES); " +
  "`openssl pkey -aes256 -in OLD -out NEW` makes a copy that Deno can open";

for (
  const [kind, options] of [
    ["RSA of 2048 bits", RSA],
    ["RSA of 4096 bits", "-algorithm RSA -pkeyopt rsa_keygen_bits:4096"],
    ["EC on P-256", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256"],
    ["EC on P-384", "-algorithm EC -pkeyopt ec_paramgen_curve:P-384"],
    ["EC on P-521", "-algorithm EC -pkeyopt ec_paramgen_curve:P-521"],
    ["Ed25519", "-algorithm ED25519"],
  ] as const
) {
  tlsTest(`a key of ${kind} serves https`, async (files) => {
    await assertServes(await files.pair("server", {}, options));
  });
}

for (
  const [form, options, conversion] of [
    ["PKCS#1", RSA, "rsa -traditional"],
    ["SEC1", undefined, "ec"],
  ] as const
) {
  tlsTest(`a key in ${form} serves https`, async (files) => {
    const pair = await files.pair("server", {}, options);
    const privatekey = files.path("converted.key");
    await files.openssl(...conversion.split(" "), "-in", pair.privatekey, "-out", privatekey);
    assertStringIncludes(await Deno.readTextFile(privatekey), `BEGIN ${form === "SEC1" ? "EC" : "RSA"} PRIVATE KEY`);
    await assertServes({ ...pair, privatekey });
  });
}

for (
  const [encryption, options, conversion] of [
    ["PKCS#8 with PBES2 and AES-256", RSA, "pkcs8 -topk8"],
    ["PKCS#8 with PBES2 and AES-128", undefined, "pkcs8 -topk8 -v2 aes-128-cbc"],
    ["PKCS#8 with scrypt", "-algorithm ED25519", "pkcs8 -topk8 -scrypt"],
    ["the older form with AES-256", RSA, "rsa -traditional -aes256"],
    ["the older form with 3DES", RSA, "rsa -traditional -des3"],
    ["the older form of EC with AES-128", undefined, "ec -aes128"],
  ] as const
) {
  tlsTest(`a key encrypted in ${encryption} opens with its password only`, async (files) => {
    const pair = await files.pair("server", {}, options);
    const privatekey = files.path("encrypted.key");
    const encrypt = [...conversion.split(" "), "-in", pair.privatekey, "-out", privatekey];
    await files.openssl(...encrypt, "-passout", `pass:${PASSWORD}`);
    const encrypted = { ...pair, privatekey };
    await assertServes(encrypted, PASSWORD);
    const start = 'Cannot use parameter "privatekey": "encrypted.key"';
    await assertRefused(files, encrypted, `${start} is encrypted: set parameter "password"`);
    await assertRefused(files, { ...encrypted, password: `${PASSWORD}s` }, `${start} ${CLOSED}`);
  });
}

tlsTest("a password may have any characters, and is not needed for a key that is not encrypted", async (files) => {
  const pair = await files.pair();
  const password = 'pä$$ "wörd" 🔑';
  const privatekey = files.path("encrypted.key");
  await files.openssl("pkcs8", "-topk8", "-in", pair.privatekey, "-out", privatekey, "-passout", `pass:${password}`);
  await assertServes({ ...pair, privatekey }, password);
  await assertServes(pair, password);
});

tlsTest(
  "--password-file takes UTF-8 with or without a byte order mark, and UTF-16 as Windows writes it",
  async (files) => {
    const pair = await files.pair();
    const privatekey = files.path("encrypted.key");
    await files.openssl("pkcs8", "-topk8", "-in", pair.privatekey, "-out", privatekey, "-passout", "pass:Bühne");
    const file = files.path("password.txt");
    const utf8 = new TextEncoder();
    for (
      const bytes of [
        utf8.encode("Bühne"),
        utf8.encode("\ufeffBühne\r\n"),
        utf16("Bühne\r\n", true),
        utf16("Bühne", false),
      ]
    ) {
      await Deno.writeFile(file, bytes);
      const flags = [
        "--secure",
        "--privatekey",
        privatekey,
        "--certificate",
        pair.certificate,
        "--password-file",
        file,
      ];
      await using program = await startProgram(flags, ["--allow-net", `--allow-read=${files.folder}`]);
      assertStringIncludes(program.firstLine, "listens on https://");
    }
    await Deno.writeFile(file, new Uint8Array([0x42, 0xfc, 0x68]));
    const { code, stderr } = await run(["--secure", "--password-file", file], [
      "--allow-net",
      `--allow-read=${files.folder}`,
    ]);
    assertEquals(code, 2);
    assertStringIncludes(stderr, "it is not text in UTF-8, or in UTF-16 with a byte order mark");
  },
);

for (
  const [encryption, conversion] of [
    ["PBES2 with 3DES", "pkcs8 -topk8 -v2 des3"],
    ["PBES1 with 3DES", "pkcs8 -topk8 -v1 PBE-SHA1-3DES"],
    ["the older form with Camellia", "rsa -traditional -camellia256"],
  ] as const
) {
  tlsTest(`a key encrypted in ${encryption}, which Deno cannot open, is refused`, async (files) => {
    const { certificate, privatekey } = await files.pair("server", {}, RSA);
    const encrypt = [...conversion.split(" "), "-in", privatekey, "-out", "encrypted.key"];
    await files.openssl(...encrypt, "-passout", `pass:${PASSWORD}`);
    const parameters = { privatekey: files.path("encrypted.key"), certificate, password: PASSWORD };
    await assertRefused(files, parameters, `Cannot use parameter "privatekey": "encrypted.key" ${CLOSED}`);
  });
}

tlsTest("a key that `openssl req` has encrypted opens after the command that its refusal names", async (files) => {
  const password = `pass:${PASSWORD}`;
  const made = "req -x509 -newkey rsa:2048 -keyout old.key -out server.pem -subj /CN=localhost".split(" ");
  await files.openssl(...made, "-passout", password);
  await files.openssl(..."pkey -aes256 -in old.key -out new.key".split(" "), "-passin", password, "-passout", password);
  const pair = { privatekey: files.path("new.key"), certificate: files.path("server.pem") };
  await using subject = await running(greeting, { secure: true, ...pair, password: PASSWORD });
  assertStringIncludes(subject.server.address!.url, "https:");
});

for (
  const [kind, options] of [
    ["RSA of 1024 bits", "-algorithm RSA -pkeyopt rsa_keygen_bits:1024"],
    ["RSA-PSS of 2048 bits", "-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048"],
    ["EC on secp256k1", "-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1"],
    ["ED448", "-algorithm ED448"],
  ] as const
) {
  tlsTest(`a key of ${kind} is refused by its name`, async (files) => {
    const pair = await files.pair("server", {}, options);
    const detail = `holds a private key of a kind that Deno does not accept, ${kind}: ${TAKES}`;
    await assertRefused(files, pair, `Cannot use parameter "privatekey": "server.key" ${detail}`);
  });
}

tlsTest("a key of a kind that Deno cannot even name, or that is damaged, is refused", async (files) => {
  const { certificate } = await files.pair();
  const brainpool = await files.key("brainpool.key", "-algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP256r1");
  const damaged = await files.write("damaged.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
  for (const privatekey of [brainpool, damaged]) {
    const name = privatekey.split("/").at(-1);
    const detail = `holds a private key that is damaged or of a kind that Deno does not accept: ${TAKES}`;
    await assertRefused(files, { privatekey, certificate }, `Cannot use parameter "privatekey": "${name}" ${detail}`);
  }
});

tlsTest("the files may be named by a URL, an URL as text, or a path from the working directory", async (files) => {
  const { privatekey, certificate } = await files.pair("name with space");
  const url = (path: string) => new URL(`file://${path.replaceAll(" ", "%20")}`);
  await assertServes({ privatekey: url(privatekey).href, certificate: url(certificate).href }, "", certificate);
  await using subject = await running(greeting, {
    secure: true,
    privatekey: url(privatekey),
    certificate: url(certificate),
  });
  assertEquals(await get(subject.url, certificate), "hello");
  // From the root, whatever the working directory is.
  const relative = (path: string) => "../".repeat(Deno.cwd().split("/").length - 1) + path.slice(1);
  assert(!relative(privatekey).startsWith("/"));
  await assertServes({ privatekey: relative(privatekey), certificate: relative(certificate) }, "", certificate);
});

tlsTest("the URL of a file on another host is refused", async (files) => {
  const { certificate } = await files.pair();
  const privatekey = "file://elsewhere/server.key";
  const sentence = `Cannot use parameter "privatekey": "${privatekey}" is not the URL of a file on this machine`;
  await assertRefused(files, { privatekey, certificate }, sentence);
});

tlsTest("a chain is sent whole: a client that knows the root only accepts it", async (files) => {
  const root = await files.pair("root", { authority: true });
  const between = await files.pair("between", { authority: true, issuer: root });
  const leaf = await files.pair("leaf", { issuer: between });
  const [first, second] = await Promise.all([leaf, between].map((pair) => Deno.readTextFile(pair.certificate)));
  const certificate = await files.write("chain.crt", `subject=CN = localhost\n${first}\n# its issuer\n${second}`);
  await assertServes({ ...leaf, certificate }, "", root.certificate);

  await using alone = await running(greeting, { secure: true, ...leaf });
  const error = await assertRejects(() => get(alone.url, root.certificate), TypeError);
  assertStringIncludes(String(error.cause), "UnknownIssuer");

  const reversed = await files.write("reversed.crt", second! + first!);
  const detail =
    '"reversed.crt" holds the certificate of the private key at position 2: put it first, followed by its issuer';
  await assertRefused(files, { ...leaf, certificate: reversed }, `Cannot use parameter "certificate": ${detail}`);
});

for (
  const [what, change] of [
    ["a byte order mark", (text: string) => `\ufeff${text}`],
    ["CRLF", (text: string) => text.replaceAll("\n", "\r\n")],
    ["no line end at its end", (text: string) => text.trimEnd()],
    ["text around it", (text: string) => `Bag Attributes\n    friendlyName: -----\n${text}\nthe end -----BEGIN`],
  ] as const
) {
  tlsTest(`files with ${what} work for https`, async (files) => {
    const pair = await files.pair();
    const altered = { privatekey: files.path("altered.key"), certificate: files.path("altered.crt") };
    await files.write("altered.key", change(await Deno.readTextFile(pair.privatekey)));
    await files.write("altered.crt", change(await Deno.readTextFile(pair.certificate)));
    await assertServes(altered, "", pair.certificate);
  });
}

tlsTest("files in UTF-16, as Windows PowerShell writes them, serve https", async (files) => {
  const pair = await files.pair();
  const utf16 = (text: string) =>
    new Uint8Array(Uint16Array.from(`\ufeff${text}`, (unit) => unit.charCodeAt(0)).buffer);
  const privatekey = await files.write("wide.key", utf16(await Deno.readTextFile(pair.privatekey)));
  const certificate = await files.write("wide.crt", utf16(await Deno.readTextFile(pair.certificate)));
  await assertServes({ privatekey, certificate }, "", pair.certificate);
});

tlsTest("one file may hold both, and is named twice", async (files) => {
  const pair = await files.pair();
  const texts = await Promise.all([pair.certificate, pair.privatekey].map((path) => Deno.readTextFile(path)));
  const both = await files.write("both.pem", texts.join(""));
  await assertServes({ privatekey: both, certificate: both }, "", pair.certificate);
});

tlsTest("the key of openssl ecparam, with its parameters in front, serves https", async (files) => {
  await files.openssl("ecparam", "-name", "prime256v1", "-genkey", "-out", "server.key");
  const privatekey = files.path("server.key");
  assertStringIncludes(await Deno.readTextFile(privatekey), "BEGIN EC PARAMETERS");
  await assertServes({ privatekey, certificate: await files.certificate(privatekey) });
});

tlsTest("a file with several private keys is refused", async (files) => {
  const pair = await files.pair();
  const keys = await Promise.all(
    [pair.privatekey, await files.key("other.key")].map((path) => Deno.readTextFile(path)),
  );
  const privatekey = await files.write("keys.pem", keys.join(""));
  const sentence = 'Cannot use parameter "privatekey": "keys.pem" holds 2 private keys, not one';
  await assertRefused(files, { ...pair, privatekey }, sentence);
});

tlsTest("secure without a privatekey or a certificate is refused", async (files) => {
  const { privatekey, certificate } = await files.pair();
  const sentence = (name: string) =>
    `Cannot use parameter "secure": parameter "${name}" is blank; set it to a PEM file`;
  await assertRefused(files, { privatekey }, sentence("certificate"));
  await assertRefused(files, { certificate }, sentence("privatekey"));
  await assertRefused(files, {}, sentence("privatekey"));
});

tlsTest("a certificate of another key is refused", async (files) => {
  const { privatekey } = await files.pair();
  for (const [name, options] of [["ec", undefined], ["rsa", RSA], ["ed", "-algorithm ED25519"]] as const) {
    const { certificate } = await files.pair(name, {}, options);
    const detail = `"${name}.crt" does not belong to the private key in "server.key" (parameter "privatekey")`;
    await assertRefused(files, { privatekey, certificate }, `Cannot use parameter "certificate": ${detail}`);
  }
});

tlsTest("swapped files are refused, and named as such", async (files) => {
  const { privatekey, certificate } = await files.pair();
  const swapped = 'parameters "privatekey" and "certificate" may be swapped';
  await assertRefused(
    files,
    { privatekey: certificate, certificate: privatekey },
    `Cannot use parameter "privatekey": "server.crt" holds CERTIFICATE, not PRIVATE KEY: ${swapped}`,
  );
  await assertRefused(
    files,
    { privatekey, certificate: privatekey },
    `Cannot use parameter "certificate": "server.key" holds PRIVATE KEY, not CERTIFICATE: ${swapped}`,
  );
});

tlsTest("other PEM files are refused by what they hold", async (files) => {
  const { privatekey, certificate } = await files.pair("server", {}, RSA);
  await files.openssl("pkey", "-in", privatekey, "-pubout", "-out", "public.key");
  await files.openssl("x509", "-in", certificate, "-trustout", "-out", "trusted.crt");
  for (const [name, holds] of [["trusted.crt", "TRUSTED CERTIFICATE"], ["server.crt.csr", "CERTIFICATE REQUEST"]]) {
    const sentence = `Cannot use parameter "certificate": "${name}" holds ${holds}, not CERTIFICATE`;
    await assertRefused(files, { privatekey, certificate: files.path(name!) }, sentence);
  }
  const sentence = 'Cannot use parameter "privatekey": "public.key" holds PUBLIC KEY, not PRIVATE KEY';
  await assertRefused(files, { privatekey: files.path("public.key"), certificate }, sentence);
});

tlsTest("DER files and PKCS#12 files are refused by their name", async (files) => {
  const { privatekey, certificate } = await files.pair("server", {}, RSA);
  const der = "is a DER file: make a PEM file of it with `openssl pkey -inform der` or `openssl x509 -inform der`";
  const p12 = "is a PKCS#12 file: make PEM files of it with `openssl pkcs12`";
  await files.openssl("pkey", "-in", privatekey, "-outform", "der", "-out", "der.key");
  await files.openssl("x509", "-in", certificate, "-outform", "der", "-out", "der.crt");
  await files.openssl(
    "pkcs12",
    "-export",
    "-inkey",
    privatekey,
    "-in",
    certificate,
    "-passout",
    "pass:x",
    "-out",
    "p12",
  );
  for (const [name, detail] of [["der.key", der], ["p12", p12]]) {
    const sentence = `Cannot use parameter "privatekey": "${name}" ${detail}`;
    await assertRefused(files, { privatekey: files.path(name!), certificate }, sentence);
  }
  for (const [name, detail] of [["der.crt", der], ["p12", p12]]) {
    const sentence = `Cannot use parameter "certificate": "${name}" ${detail}`;
    await assertRefused(files, { privatekey, certificate: files.path(name!) }, sentence);
  }
});

tlsTest("a certificate of X.509 version 1 is refused", async (files) => {
  const { privatekey } = await files.pair();
  const files1 = ["-in", "server.crt.csr", "-signkey", "server.key", "-out", "v1.crt"];
  await files.openssl("x509", "-req", "-days", "30", ...files1);
  const sentence =
    'Cannot use parameter "certificate": "v1.crt" holds a certificate of X.509 version 1, but Deno accepts only version 3';
  await assertRefused(files, { privatekey, certificate: files.path("v1.crt") }, sentence);
});

for (
  const [what, content, detail] of [
    ["an empty file", "", "is empty"],
    ["garbage", crypto.getRandomValues(new Uint8Array(4096)).fill(0xa5, 0, 2), undefined],
    ["text", "hello\n", undefined],
    ["a PEM file that is cut off", "-----BEGIN PRIVATE KEY-----\nMIGH\n-----BEGIN CERTIFICATE-----\nMIGH\n", undefined],
    [
      "a PEM file with the end of another kind",
      "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END CERTIFICATE-----\n",
      undefined,
    ],
    // This takes milliseconds if each byte is read once, and minutes if not.
    ["a mebibyte of beginnings", "-----BEGIN PRIVATE KEY-----".repeat(38_000), undefined],
    ["a mebibyte of dashes", "-".repeat(1_000_000), undefined],
  ] as const
) {
  tlsTest(`${what} is refused`, async (files) => {
    const pair = await files.pair();
    const path = await files.write("bad.pem", content);
    const no = (wanted: string) =>
      detail ?? `is not a PEM file: it has no section from "-----BEGIN ${wanted}-----" to "-----END ${wanted}-----"`;
    const start = (name: string) => `Cannot use parameter "${name}": "bad.pem" `;
    await assertRefused(files, { ...pair, privatekey: path }, start("privatekey") + no("PRIVATE KEY"));
    await assertRefused(files, { ...pair, certificate: path }, start("certificate") + no("CERTIFICATE"));
  });
}

tlsTest("a damaged certificate is refused", async (files) => {
  const pair = await files.pair();
  const certificate = await files.write(
    "bad.crt",
    (await Deno.readTextFile(pair.certificate)).replace(/^MI../m, "MIAB"),
  );
  const { message } = await refusal({ ...pair, certificate });
  assertStringIncludes(
    message,
    `Cannot use parameter "certificate": "${certificate}" holds a certificate that is damaged (`,
  );
});

tlsTest("a missing file, a directory, and a file that is too large are refused", async (files) => {
  const pair = await files.pair();
  await Deno.mkdir(files.path("folder"));
  await files.write("large.pem", "");
  await Deno.truncate(files.path("large.pem"), 2 ** 40);
  for (const parameter of ["privatekey", "certificate"] as const) {
    for (
      const [name, detail] of [
        ["absent.pem", "does not exist (paths are relative to the working directory)"],
        ["folder", "is a directory, not a PEM file"],
        ["large.pem", "has 1099511627776 bytes, which is too much for a PEM file"],
      ]
    ) {
      const sentence = `Cannot use parameter "${parameter}": "${name}" ${detail}`;
      await assertRefused(files, { ...pair, [parameter]: files.path(name!) }, sentence);
    }
  }
});

tlsTest("a named pipe is refused at once, though nobody writes to it", async (files) => {
  const pair = await files.pair();
  const { code } = await output("mkfifo", [files.path("pipe")]);
  assertEquals(code, 0);
  const sentence = 'Cannot use parameter "privatekey": "pipe" is a pipe or a device, not a PEM file';
  await assertRefused(files, { ...pair, privatekey: files.path("pipe") }, sentence);
}, [UNIX]);

tlsTest("a symbolic link is followed; one that leads to itself is refused", async (files) => {
  const pair = await files.pair();
  await Deno.symlink("server.key", files.path("link.key"));
  await assertServes({ ...pair, privatekey: files.path("link.key") });
  await Deno.symlink("circle.key", files.path("circle.key"));
  const { message } = await refusal({ ...pair, privatekey: files.path("circle.key") });
  assertStringIncludes(message, `Cannot use parameter "privatekey": "${files.path("circle.key")}" cannot be read (`);
}, [UNIX]);
