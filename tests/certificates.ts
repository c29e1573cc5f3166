/** Keys and certificates for tests, made by openssl in a temporary folder. */

import { type Need, testWith } from "./programs.ts";
import { output } from "./support/program.ts";

/** The parameters that name a key and its certificate. */
export interface Pair {
  readonly privatekey: string;
  readonly certificate: string;
}

/** How a certificate differs from the usual one, which is for this machine, signs itself, and is valid for a year. */
export interface CertificateOptions {
  /** The first and the last second: `"20200101000000Z"`. */
  readonly valid?: readonly [from: string, to: string];
  /** Who signs it. */
  readonly issuer?: Pair;
  /** Whether it may sign others. */
  readonly authority?: boolean;
}

/**
 * Defines a test with a folder for certificates, which openssl makes.
 *
 * @param needs What the test needs beside openssl
 */
export function tlsTest(name: string, body: (files: Certificates) => Promise<void>, needs: readonly Need[] = []): void {
  testWith(["openssl", ...needs], name, async () => {
    await using files = await Certificates.make();
    await body(files);
  });
}

/** The settings of `openssl ca`, which alone sets the dates of a certificate. */
const SETTINGS = `
[ca]
default_ca = issue
[issue]
database = index.txt
rand_serial = yes
unique_subject = no
default_md = default
default_days = 365
policy = policy
[policy]
commonName = supplied
[server]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1
[authority]
basicConstraints = critical, CA:TRUE
`;

/** The folder of a test; it is removed at the end of its block. */
export class Certificates implements AsyncDisposable {
  private constructor(readonly folder: string) {}

  static async make(): Promise<Certificates> {
    const made = new Certificates(await Deno.realPath(await Deno.makeTempDir()));
    await made.write("settings", SETTINGS);
    await made.write("index.txt", "");
    return made;
  }

  path(name: string): string {
    return `${this.folder}/${name}`;
  }

  /** Writes a file; returns its path. */
  async write(name: string, content: string | Uint8Array): Promise<string> {
    if (typeof content === "string") await Deno.writeTextFile(this.path(name), content);
    else await Deno.writeFile(this.path(name), content);
    return this.path(name);
  }

  /** Runs openssl in the folder, so that names of files need no path. */
  async openssl(...args: string[]): Promise<void> {
    const { code, stderr } = await output("openssl", args, { cwd: this.folder });
    if (code !== 0) throw new Error(`openssl ${args.join(" ")}\n${stderr}`);
  }

  /** Makes a private key, in PKCS#8; returns its path. The options are those of `openssl genpkey`. */
  async key(name = "server.key", options = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256"): Promise<string> {
    await this.openssl("genpkey", ...options.split(" "), "-out", name);
    return this.path(name);
  }

  /** Makes the certificate of a private key; returns its path. */
  async certificate(
    privatekey: string,
    { valid, issuer, authority = false }: CertificateOptions = {},
    name = privatekey.slice(this.folder.length + 1).replace(/\.key$/, ".crt"),
  ): Promise<string> {
    const request = `${name}.csr`;
    await this.openssl(
      "req",
      "-new",
      "-key",
      privatekey,
      "-subj",
      `/CN=${authority ? name : "localhost"}`,
      "-out",
      request,
    );
    const signer = issuer
      ? ["-keyfile", issuer.privatekey, "-cert", issuer.certificate]
      : ["-selfsign", "-keyfile", privatekey];
    const dates = valid ? ["-startdate", valid[0], "-enddate", valid[1]] : [];
    const extensions = ["-extensions", authority ? "authority" : "server"];
    const files = ["-config", "settings", "-outdir", ".", "-in", request, "-out", name];
    await this.openssl("ca", "-batch", "-notext", ...files, ...signer, ...dates, ...extensions);
    return this.path(name);
  }

  /** Makes a private key and its certificate. */
  async pair(name = "server", options: CertificateOptions = {}, keyOptions?: string): Promise<Pair> {
    const privatekey = await this.key(`${name}.key`, keyOptions);
    return { privatekey, certificate: await this.certificate(privatekey, options) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** The answer to a GET by a client that trusts this certificate only. */
export async function get(
  url: string,
  certificate: string,
  options: Deno.CreateHttpClientOptions = {},
): Promise<string> {
  using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(certificate)], ...options });
  return await (await fetch(url, { client })).text();
}
