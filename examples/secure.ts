// deno run --lock=examples/deno.lock --allow-net --allow-sys=networkInterfaces,hostname --allow-read=key.pem,certificate.pem --allow-write=key.pem,certificate.pem examples/secure.ts

/**
 * https, which browsers require before a page may use camera, microphone or motion sensors. This program makes a certificate
 * for the addresses of this machine and keeps it in `key.pem` and `certificate.pem` in the current folder. It makes another
 * one when the machine gets a new address or the certificate is about to expire.
 *
 * Browsers do not know who signed it, so they show a warning. Continue anyway ("Advanced"). Or, in a network that you trust,
 * install the certificate that the page offers; then there is no warning until another one is made. The key that signed it is
 * never stored, so nobody can sign more certificates that the phone would trust.
 *
 * @module
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { generate } from "npm:selfsigned@5.5.0";
import { type Callbacks, WebServer } from "@webserver-dat/server";
import { pages, smallPage } from "./pages/pages.ts";

const KEY = "key.pem";
const CERTIFICATE = "certificate.pem";
const DAY = 24 * 60 * 60 * 1000;

// The machine's name in the local network stays the same when its address changes. IPv6 addresses are omitted: many change daily.
const names = ["localhost", `${Deno.hostname().split(".")[0]}.local`];
const addresses = Deno.networkInterfaces().filter(({ family }) => family === "IPv4").map(({ address }) => address);

/** Whether the files exist, belong together, cover every address and are valid for another month. */
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

/** Writes a key and its certificate, followed by the certificate of the authority that signed it. */
async function renew() {
  const options = {
    keyType: "ec",
    algorithm: "sha256",
    // The clock of a phone may be behind.
    notBeforeDate: new Date(Date.now() - DAY),
    // One year; Apple's devices refuse more than 825 days.
    notAfterDate: new Date(Date.now() + 365 * DAY),
  } as const;
  // A different name each time, so that devices do not confuse this authority with an older one.
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

const main = `<p>Does your browser show a warning? Install <a href="/authority.crt">the certificate</a> once:</p>
      <dl>
        <dt>iPhone, iPad</dt>
        <dd>Settings, Profile Downloaded, Install. Then General, About, Certificate Trust Settings, and turn it on.</dd>
        <dt>Android</dt>
        <dd>Settings, search for "CA certificate", Install anyway, and choose the downloaded file.</dd>
        <dt>Computer</dt>
        <dd>Open it, and trust it for web sites. In Firefox: Settings, Certificates, Authorities, Import.</dd>
      </dl>`;

const answer = pages({ "/": smallPage("This page is encrypted", main) });

const callbacks: Callbacks = {
  onHTTPRequest(_webServer, request, response) {
    if (request.uri !== "/authority.crt") return answer(request, response);
    response.statusCode = 200;
    response["Content-Type"] = "application/x-x509-ca-cert";
    // The second of the two certificates in the file.
    response.data = /-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\s*$/.exec(Deno.readTextFileSync(CERTIFICATE))![0];
    return response;
  },
};

export const server = new WebServer({ secure: true, privatekey: KEY, certificate: CERTIFICATE, callbacks });

if (import.meta.main) {
  await server.start();
  console.log("Open one of these, the first one on this machine only, the others on a phone in the same network:");
  const others = [...names, ...addresses].filter((host) => host !== "localhost" && !host.startsWith("127."));
  for (const host of ["localhost", ...others]) console.log(`  https://${host}:${server.address?.port}/`);
}
