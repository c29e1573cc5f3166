/** The TLS files: reads them, opens the key with the password, and checks that Deno accepts them. */

import type { KeyObject, X509Certificate } from "node:crypto";
import { builtin } from "../engine/deno.ts";
import type { Certificate } from "../operator/files.ts";
import type { WebServerParameters } from "../operator/parameters.ts";
import { runDenoWith } from "../engine/shell.ts";
import { filePath } from "./source.ts";
import { decodeFile } from "./text_file.ts";

type TLSParameters = Pick<WebServerParameters, "privatekey" | "certificate" | "password">;

/** A file that a parameter names. */
interface Source {
  readonly parameter: "privatekey" | "certificate";
  /** Relative to the working directory. */
  readonly path: string;
}

/** The largest PEM file, in bytes: four times a bundle of all certificate authorities. */
const LARGEST = 1024 * 1024;

const KEY = /^(?:RSA |EC |ENCRYPTED )?PRIVATE KEY$/;
const CERTIFICATE = /^CERTIFICATE$/;

/** The private keys that Deno accepts, to end an error message. */
const KINDS = "RSA of 2048 bits and up, EC on P-256, P-384 and P-521, and Ed25519";

function fault({ parameter, path }: Source, detail: string, Kind: new (message: string) => Error = SyntaxError): Error {
  return new Kind(`Cannot use parameter "${parameter}": "${path}" ${detail}`);
}

function sourceOf(parameter: Source["parameter"], value: string | URL): Source {
  if (value === "") {
    throw new TypeError(`Cannot use parameter "secure": parameter "${parameter}" is blank; set it to a PEM file`);
  }
  try {
    return { parameter, path: filePath(value) };
  } catch {
    throw new TypeError(`Cannot use parameter "${parameter}": "${value}" is not the URL of a file on this machine`);
  }
}

/** How to permit what is missing. */
function permission(sources: Source[]): string {
  const paths = [...new Set(sources.map(({ path }) => path))].join(",");
  return runDenoWith(`--allow-read=${paths}`);
}

/** The bytes of a file. `sources` are all files that are read, for the flag in an error message. */
async function read(source: Source, sources: Source[]): Promise<Uint8Array> {
  const explain = (error: unknown): never => {
    throw unreadable(source, sources, error as Error);
  };
  const { isFile, isDirectory, size } = await Deno.stat(source.path).catch(explain);
  if (isDirectory) throw fault(source, "is a directory, not a PEM file", Deno.errors.IsADirectory);
  // Reading a pipe or a device may take forever.
  if (!isFile) throw fault(source, "is a pipe or a device, not a PEM file", TypeError);
  if (size > LARGEST) throw fault(source, `has ${size} bytes, which is too much for a PEM file`, RangeError);
  return await Deno.readFile(source.path).catch(explain);
}

function unreadable(source: Source, sources: Source[], error: Error): Error {
  const { NotCapable, NotFound, PermissionDenied } = Deno.errors;
  if (error instanceof NotCapable) {
    return fault(source, `cannot be read: ${permission(sources)}`, NotCapable);
  }
  if (error instanceof NotFound) {
    return fault(source, "does not exist (paths are relative to the working directory)", NotFound);
  }
  if (error instanceof PermissionDenied) {
    return fault(source, "cannot be read by the user that runs Deno", PermissionDenied);
  }
  return fault(source, `cannot be read (${error.message})`, Error);
}

/** A section of a PEM file (RFC 7468). */
interface Section {
  readonly label: string;
  readonly text: string;
}

/** The sections of a PEM file. Everything around them is ignored, as the RFC says: a byte order mark, names, other text. */
function sectionsOf(text: string): Section[] {
  const sections: Section[] = [];
  const parts = text.split(/-----(BEGIN|END) ([^-\r\n]+)-----/);
  for (let at = 1; at + 3 < parts.length; at += 3) {
    const [begin, label, body, end, endLabel] = parts.slice(at, at + 5);
    if (begin === "BEGIN" && end === "END" && label === endLabel) {
      sections.push({ label: label!, text: `-----BEGIN ${label}-----${body}-----END ${label}-----\n` });
    }
  }
  return sections;
}

/** Describes a file of the wrong kind, to end an error message. */
function nature(bytes: Uint8Array, sections: Section[], wanted: string): string {
  if (bytes.length === 0) return "is empty";
  if (sections.length > 0) {
    const labels = [...new Set(sections.map(({ label }) => label))].join(", ");
    const swapped = sections.some(({ label }) => (wanted === "CERTIFICATE" ? KEY : CERTIFICATE).test(label));
    return `holds ${labels}, not ${wanted}${
      swapped ? ': parameters "privatekey" and "certificate" may be swapped' : ""
    }`;
  }
  // ASN.1 starts with a SEQUENCE and its length (X.690, section 8.1). That of PKCS#12 starts with the integer 3.
  if (bytes[0] === 0x30) {
    const content = 2 + (bytes[1]! > 0x80 ? bytes[1]! & 0x7f : 0);
    return [2, 1, 3].every((byte, index) => bytes[content + index] === byte)
      ? "is a PKCS#12 file: make PEM files of it with `openssl pkcs12`"
      : "is a DER file: make a PEM file of it with `openssl pkey -inform der` or `openssl x509 -inform der`";
  }
  return `is not a PEM file: it has no section from "-----BEGIN ${wanted}-----" to "-----END ${wanted}-----"`;
}

/** The sections of a kind, at least one. */
async function findSections(source: Source, sources: Source[], kind: RegExp, wanted: string): Promise<Section[]> {
  const bytes = await read(source, sources);
  const all = sectionsOf(decodeFile(bytes));
  const found = all.filter(({ label }) => kind.test(label));
  if (found.length === 0) throw fault(source, nature(bytes, all, wanted));
  return found;
}

function openKey(source: Source, { label, text }: Section, password: string): KeyObject {
  const encrypted = label === "ENCRYPTED PRIVATE KEY" || text.includes("Proc-Type: 4,ENCRYPTED");
  if (encrypted && password === "") throw fault(source, 'is encrypted: set parameter "password"', TypeError);
  try {
    return builtin("node:crypto").createPrivateKey({ key: text, passphrase: password });
  } catch {
    // A wrong password is sometimes reported as an unknown encryption, so one sentence covers both.
    throw encrypted
      ? fault(
        source,
        'does not open with parameter "password": either the password is wrong, or Deno does not support the encryption ' +
          "(it supports PKCS#8 with PBES2 or scrypt and AES, and the older format of OpenSSL with AES or 3DES); " +
          "`openssl pkey -aes256 -in OLD -out NEW` makes a copy that Deno can open",
        Error,
      )
      : fault(
        source,
        `holds a private key that is damaged or of a kind that Deno does not accept: it accepts ${KINDS}`,
      );
  }
}

function parseCertificate(source: Source, text: string): X509Certificate {
  try {
    return new (builtin("node:crypto").X509Certificate)(text);
  } catch (error) {
    throw fault(source, `holds a certificate that is damaged (${(error as Error).message})`);
  }
}

function describe({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string {
  const { modulusLength: bits, namedCurve: curve } = asymmetricKeyDetails ?? {};
  return String(asymmetricKeyType).toUpperCase() + (bits ? ` of ${bits} bits` : "") + (curve ? ` on ${curve}` : "");
}

/** The key in the form that Deno takes, after checking that Deno accepts it together with the certificates. */
function prove(key: Source, keyObject: KeyObject, certificate: Source, cert: string): string {
  try {
    const pem = keyObject.export({ type: "pkcs8", format: "pem" }) as string;
    // An HTTP client takes a certificate just as a server does, but needs neither a port nor a permission.
    Deno.createHttpClient({ cert, key: pem }).close();
    return pem;
  } catch (error) {
    const { message } = error as Error;
    if (/private key/i.test(message)) {
      throw fault(
        key,
        `holds a private key of a kind that Deno does not accept, ${describe(keyObject)}: it accepts ${KINDS}`,
      );
    }
    throw message.includes("UnsupportedCertVersion")
      ? fault(certificate, "holds a certificate of X.509 version 1, but Deno accepts only version 3")
      : fault(certificate, `holds a certificate that Deno does not accept (${message})`);
  }
}

/** A warning if a certificate has expired or is not valid yet. */
function untimely({ path }: Source, { validFromDate, validToDate }: X509Certificate, index: number): string[] {
  const which = `${index === 0 ? "The certificate" : `Certificate ${index + 1}`} in "${path}"`;
  const now = Date.now();
  if (validToDate.getTime() < now) return [`${which} expired on ${validToDate.toISOString()}: clients refuse it`];
  if (validFromDate.getTime() > now) {
    return [`${which} is not valid before ${validFromDate.toISOString()}: clients refuse it; is the clock right?`];
  }
  return [];
}

/**
 * Reads the private key and the certificate, and nothing else.
 *
 * @throws {Deno.errors.NotFound | Deno.errors.IsADirectory | Deno.errors.PermissionDenied | Deno.errors.NotCapable}
 * (rejects) If a file cannot be read; the last one names the flag that is needed
 * @throws {TypeError} (rejects) If a parameter is missing, or does not name a file
 * @throws {RangeError} (rejects) If a file is too large
 * @throws {SyntaxError} (rejects) If a file does not hold what it should, or holds a kind that Deno does not accept
 * @throws {Error} (rejects) If the password does not open the key, or the certificate belongs to another key
 */
export async function readCertificate({ privatekey, certificate, password }: TLSParameters): Promise<Certificate> {
  const sources: [Source, Source] = [sourceOf("privatekey", privatekey), sourceOf("certificate", certificate)];
  const [keySource, certificateSource] = sources;
  // One after the other, since Deno may ask at the terminal for permission to read each.
  const keys = await findSections(keySource, sources, KEY, "PRIVATE KEY");
  const chain = await findSections(certificateSource, sources, CERTIFICATE, "CERTIFICATE");
  if (keys.length > 1) throw fault(keySource, `holds ${keys.length} private keys, not one`);
  const key = openKey(keySource, keys[0]!, password);
  const certificates = chain.map(({ text }) => parseCertificate(certificateSource, text));
  const own = certificates.findIndex((certificate) => certificate.checkPrivateKey(key));
  if (own < 0) {
    throw fault(
      certificateSource,
      `does not belong to the private key in "${keySource.path}" (parameter "privatekey")`,
      Error,
    );
  }
  if (own > 0) {
    throw fault(
      certificateSource,
      `holds the certificate of the private key at position ${own + 1}: put it first, followed by its issuer`,
    );
  }
  const cert = chain.map(({ text }) => text).join("");
  return {
    cert,
    key: prove(keySource, key, certificateSource, cert),
    warnings: certificates.flatMap((certificate, index) => untimely(certificateSource, certificate, index)),
  };
}
