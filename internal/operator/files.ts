/** The files that parameters name: loaded and checked before anything changes, and watched. */

import type { Callbacks } from "../../callbacks.ts";
import type { WebServerParameters } from "./parameters.ts";
import { inTime } from "../engine/within.ts";

/** Seconds until a file must be read: a server that waits for one can neither start nor change. */
const READ_TIMEOUT = 30;

// The modules that read files are loaded when a parameter names one: they would double the start-up time.

/** A file that was saved while the server watches it. */
export type Saved = "callbacks" | "certificate";

/** The certificate and key for `Deno.serve`, and warnings for the user. */
export interface Certificate {
  /** The certificate and its chain, in PEM. */
  readonly cert: string;
  /** The private key, in PEM, not encrypted. */
  readonly key: string;
  /** One sentence for each certificate that clients refuse at present. */
  readonly warnings: string[];
}

/** Called with a file that was saved or, with its path, one that is missing. */
type OnSaved = (what: Saved, missing?: string) => void;

/** The contents of the files. */
export interface Files {
  readonly callbacks: Callbacks;
  /** Undefined without TLS. */
  readonly certificate: Certificate | undefined;
  /** Undefined without `watch`. */
  readonly watcher: AsyncDisposable | undefined;
}

/** Whether the callbacks are a module that has to be loaded. */
export function isModule(callbacks: WebServerParameters["callbacks"]): callbacks is string | URL {
  return typeof callbacks === "string" || callbacks instanceof URL;
}

/** The callbacks; a module is loaded again. */
export async function readCallbacks({ callbacks, language }: WebServerParameters): Promise<Callbacks> {
  if (!isModule(callbacks)) return callbacks;
  const { loadCallbacks } = await import("../files/callbacks_module.ts");
  return await loadCallbacks(callbacks, language);
}

/** The certificate, read again; undefined without TLS. */
export async function certificateOf(parameters: WebServerParameters): Promise<Certificate | undefined> {
  if (!parameters.secure) return undefined;
  const { readCertificate } = await import("../files/certificate.ts");
  const late = () => new Error(`Cannot read the certificate: its files did not answer within ${READ_TIMEOUT} s`);
  return await inTime(READ_TIMEOUT, readCertificate(parameters), late);
}

/** Whether both are the same certificate and key, so that the listener can stay. */
export function isSame(one: Certificate | undefined, other: Certificate | undefined): boolean {
  return one?.cert === other?.cert && one?.key === other?.key;
}

/**
 * Loads and checks the files that the parameters name.
 *
 * @param saved Called with each file that is saved or goes missing, if `watch` is on
 * @throws {Error} (rejects) As `loadCallbacks` and `readCertificate` do
 */
export async function readFiles(parameters: WebServerParameters, saved: OnSaved): Promise<Files> {
  // Watch before reading, so that no change is missed.
  const watcher = parameters.watch ? await watch(parameters, saved) : undefined;
  try {
    return { callbacks: await readCallbacks(parameters), certificate: await certificateOf(parameters), watcher };
  } catch (error) {
    await watcher?.[Symbol.asyncDispose]();
    throw error;
  }
}

/** Stops watching the files. */
export async function release(files: Files | undefined): Promise<void> {
  await files?.watcher?.[Symbol.asyncDispose]();
}

async function watch(
  { callbacks, secure, privatekey, certificate }: WebServerParameters,
  saved: OnSaved,
): Promise<AsyncDisposable> {
  const { watchFiles } = await import("../files/watch.ts");
  const { filePath, modulePath } = await import("../files/source.ts");
  const script = isModule(callbacks) ? modulePath(callbacks) : undefined;
  const pems = secure ? [privatekey, certificate].map(filePath) : [];
  const what = (path: string) => path === script ? "callbacks" : "certificate";
  return watchFiles(
    script === undefined ? pems : [...pems, script],
    (path) => saved(what(path)),
    (path) => saved(what(path), path),
  );
}
