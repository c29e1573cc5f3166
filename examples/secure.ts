// deno run --lock=examples/deno.lock --allow-net --allow-sys=networkInterfaces,hostname --allow-read=key.pem,certificate.pem --allow-write=key.pem,certificate.pem examples/secure.ts

/**
 * https, which browsers demand before a page may use camera, microphone or motion sensors. The certificate is made here for
 * the addresses of this machine, kept in `key.pem` and `certificate.pem` of the current folder, and made anew when an address
 * is added or it is about to expire.
 *
 * No browser knows who signed it, so it warns. Go on all the same ("Advanced"), or better, in a network that you trust: install the
 * certificate that the page offers, and the warning is gone until the next one is made. The key that could sign more of them is
 * never stored, so the phone trusts what this machine has in `key.pem` and nothing else.
 *
 * @module
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { generate } from "npm:selfsigned@5.5.0";
import { type Callbacks, WebServer } from "@webserver-dat/server";

const KEY = "key.pem";
const CERTIFICATE = "certificate.pem";
const DAY = 24 * 60 * 60 * 1000;

// The name of this machine in a local network stays when its address changes. IPv6 addresses are left out: many change daily.
const names = ["localhost", `${Deno.hostname().split(".")[0]}.local`];
const addresses = Deno.networkInterfaces().filter(({ family }) => family === "IPv4").map(({ address }) => address);

/** Whether the files are there, belong together, name every address and are good for a month. */
function isCurrent(): boolean {
  try {
    const certificate = new X509Certificate(Deno.readTextFileSync(CERTIFICATE));
    return certificate.checkPrivateKey(createPrivateKey(Deno.readTextFileSync(KEY))) &&
      Date.parse(certificate.validTo) > Date.now() + 30 * DAY &&
      names.every((name) => certificate.checkHost(name) !== undefined) &&
      addresses.every((address) => certificate.checkIP(address) !== undefined);
  } catch {
    return false;
  }
}

/** Writes a key and its certificate, followed by that of the authority which signed it. */
async function renew() {
  const options = {
    keyType: "ec",
    algorithm: "sha256",
    // Clocks differ.
    notBeforeDate: new Date(Date.now() - DAY),
    // A year, since Apple's devices refuse more than 825 days.
    notAfterDate: new Date(Date.now() + 365 * DAY),
  } as const;
  // A new name each time, so that a device does not take an older authority for this one.
  const authority = await generate([{ name: "commonName", value: `${names[1]} ${new Date().toISOString()}` }], {
    ...options,
    extensions: [
      { name: "basicConstraints", cA: true, pathLenConstraint: 0, critical: true },
      { name: "keyUsage", keyCertSign: true, critical: true },
    ],
  });
  const server = await generate([{ name: "commonName", value: names[1]! }], {
    ...options,
    ca: { key: authority.private, cert: authority.cert },
    extensions: [
      { name: "basicConstraints", cA: false, critical: true },
      { name: "keyUsage", digitalSignature: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
      {
        name: "subjectAltName",
        altNames: [
          ...names.map((value) => ({ type: 2, value } as const)),
          ...addresses.map((ip) => ({ type: 7, ip } as const)),
        ],
      },
    ],
  });
  await Deno.writeTextFile(KEY, server.private, { mode: 0o600 });
  await Deno.writeTextFile(CERTIFICATE, `${server.cert}\n${authority.cert}\n`);
}

if (!isCurrent()) await renew();

const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Encrypted</title>
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark; font: 1.125rem/1.5 system-ui, sans-serif }
main { max-width: 34rem; margin: auto; padding: 0 0.5rem }
h1 { font-size: 1.75rem }
dt { font-weight: 600 }
dd { margin: 0 0 1rem }
</style>
<main>
<h1>This page is encrypted</h1>
<p>Does your browser warn of it? Install <a href="/authority.crt">the certificate</a> once:</p>
<dl>
<dt>iPhone, iPad<dd>Settings, Profile Downloaded, Install; then General, About, Certificate Trust Settings, and turn it on
<dt>Android<dd>Settings, search for "CA certificate", Install anyway, and choose the downloaded file
<dt>Computer<dd>Open it, and trust it for web sites; Firefox: Settings, Certificates, Authorities, Import
</dl>
</main>
</html>`;

const callbacks: Callbacks = {
  onHTTPRequest(_webServer, request, response) {
    if (request.uri === "/") {
      response.statusCode = 200;
      response.data = page;
    } else if (request.uri === "/authority.crt") {
      response.statusCode = 200;
      response["Content-Type"] = "application/x-x509-ca-cert";
      // The second of the two certificates in the file.
      response.data = /-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\s*$/.exec(Deno.readTextFileSync(CERTIFICATE))![0];
    }
    return response;
  },
};

export const server = new WebServer({ secure: true, privatekey: KEY, certificate: CERTIFICATE, callbacks });

if (import.meta.main) {
  await server.start();
  console.log("Open one of these on a phone in the same network:");
  for (const host of [...names, ...addresses]) console.log(`  https://${host}:${server.address?.port}/`);
}
