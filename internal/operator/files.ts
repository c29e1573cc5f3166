/** The files behind the parameters: loaded and proved before anything changes, and watched. */

import type { Callbacks } from "../../callbacks.ts";
import type { WebServerParameters } from "./parameters.ts";
import type { Certificate } from "../files/certificate.ts";
import { inTime } from "../engine/within.ts";

/** Seconds for files to be read: a server that waits for one can neither start nor stop. */
const READ_TIMEOUT = 30;

// What most servers do without is loaded when it is needed: it would double the time that each takes to start.

/** Parameters that name files, or say how to take them. */
export const FILE_PARAMETERS = [
  "callbacks",
  "language",
  "secure",
  "privatekey",
  "certificate",
  "password",
  "watch",
] as const satisfies (keyof WebServerParameters)[];

/** What can be saved anew. */
export type Saved = "callbacks" | "certificate";

/** Is told of a file that was saved, or with its path, of one that is missing. */
type OnSaved = (what: Saved, missing?: string) => void;

/** What was in the files. */
export interface Files {
  readonly callbacks: Callbacks;
  /** Undefined without TLS. */
  readonly certificate: Certificate | undefined;
  /** Undefined without `watch`. */
  readonly watcher: AsyncDisposable | undefined;
}

/** Whether the callbacks are a module to be loaded. */
export function isModule(callbacks: WebServerParameters["callbacks"]): callbacks is string | URL {
  return typeof callbacks === "string" || callbacks instanceof URL;
}

/** The callbacks; a module is loaded anew. */
export async function readCallbacks({ callbacks, language }: WebServerParameters): Promise<Callbacks> {
  if (!isModule(callbacks)) return callbacks;
  const { loadCallbacks } = await import("../files/callbacks_module.ts");
  return await loadCallbacks(callbacks, language);
}

/** The certificate, read anew; undefined without TLS. */
export async function certificateOf(parameters: WebServerParameters): Promise<Certificate | undefined> {
  if (!parameters.secure) return undefined;
  const { readCertificate } = await import("../files/certificate.ts");
  const late = () => new Error(`Cannot read the certificate: its files did not answer within ${READ_TIMEOUT} s`);
  return await inTime(READ_TIMEOUT, readCertificate(parameters), late);
}

/** Whether a listener with the one serves as one with the other does. */
export function isSame(one: Certificate | undefined, other: Certificate | undefined): boolean {
  return one?.cert === other?.cert && one?.key === other?.key;
}

/**
 * Loads and proves what the parameters name.
 *
 * @param saved With `watch`, hears of a file that is written
 * @throws {Error} (rejects) As `loadCallbacks` and `readCertificate` do
 */
export async function readFiles(parameters: WebServerParameters, saved: OnSaved): Promise<Files> {
  // From before they are read, so that no change is lost.
  const watcher = parameters.watch ? await watch(parameters, saved) : undefined;
  try {
    return { callbacks: await readCallbacks(parameters), certificate: await certificateOf(parameters), watcher };
  } catch (error) {
    await watcher?.[Symbol.asyncDispose]();
    throw error;
  }
}

async function watch(
  { callbacks, secure, privatekey, certificate }: WebServerParameters,
  saved: OnSaved,
): Promise<AsyncDisposable> {
  const { watchFiles } = await import("../files/watch.ts");
  const { callbacksPath } = await import("../files/callbacks_module.ts");
  const script = isModule(callbacks) ? callbacksPath(callbacks) : undefined;
  const pems = secure ? [privatekey, certificate].flatMap((file) => callbacksPath(file) ?? []) : [];
  const what = (path: string) => path === script ? "callbacks" : "certificate";
  return watchFiles(
    script === undefined ? pems : [...pems, script],
    (path) => saved(what(path)),
    (path) => saved(what(path), path),
  );
}
