/** Files and modules as parameters name them: by a path, which is relative to the working directory, or by a URL. */

import { relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/**
 * The URL of a module. A scheme has at least two letters, since `C:` is a drive.
 *
 * @throws {TypeError} If it is not a valid URL
 */
export function moduleURL(source: string | URL): URL {
  if (source instanceof URL) return source;
  return /^[a-z][a-z\d+.-]+:/i.test(source) ? new URL(source) : pathToFileURL(resolve(source));
}

/** The path of a module, for watching it. Undefined if it is not a file: `https:`, `data:`. */
export function modulePath(source: string | URL): string | undefined {
  const url = moduleURL(source);
  return url.protocol === "file:" ? fileURLToPath(url) : undefined;
}

/**
 * The path of a file, which can only be on this machine: every other text than a `file:` URL is a path.
 *
 * @throws {TypeError} If it is a `file:` URL of another machine, or not a valid one
 */
export function filePath(source: string | URL): string {
  return source instanceof URL || /^file:/i.test(source) ? fileURLToPath(new URL(source)) : source;
}

/** A path as the user would write it: relative to the working directory, if the file is inside. */
export function shortPath(file: string | URL): string {
  const path = file instanceof URL || file.startsWith("file:") ? fileURLToPath(file) : file;
  const short = relative("", path);
  return short === "" || short.startsWith("..") ? path : short;
}
