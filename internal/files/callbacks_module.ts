/** The Callbacks DAT: a module whose exports are the callbacks, loaded from a path or URL. */

import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import type { Callbacks } from "../../callbacks.ts";
import { CALLBACK_NAMES, checkCallbacks } from "../operator/callback_names.ts";
import { runDenoWith } from "../engine/shell.ts";
import { moduleURL, shortPath } from "./source.ts";
import { decodeFile } from "./text_file.ts";
import { inTime } from "../engine/within.ts";

/** Seconds for a module to load; a server that waits for one can neither start nor stop. */
const LOAD_TIMEOUT = 30;
/** The largest callbacks file, in bytes. */
const LARGEST = 16 * 1024 * 1024;

/** How often each file was loaded. Deno never forgets a module (M1), so a file that is loaded again needs a new URL. */
const loads = new Map<string, number>();

function freshURL({ href }: URL): string {
  const count = loads.get(href) ?? 0;
  loads.set(href, count + 1);
  return count === 0 ? href : `${href}?v=${count}`;
}

/**
 * Loads a module that exports callbacks by their names, or as the properties of its default export. A file is loaded again
 * each time, but not the modules that it imports. Anything else is loaded once in the life of the process.
 *
 * Each load leaks memory (25 KB for a file of 3 KB, 40 KB for one of 6 KB), since Deno never forgets a module (M1).
 *
 * @param source A path, relative to the working directory, or a URL: `file:`, `https:`, `data:`
 * @param language `node`: a file is TypeScript, unless its extension says that it is JavaScript; `input`: Deno decides by
 * its extension
 * @throws {Deno.errors.NotFound} (rejects) If the file does not exist
 * @throws {Deno.errors.NotCapable} (rejects) If a permission to load is missing
 * @throws {SyntaxError} (rejects) If it, or a module that it imports, has a syntax error
 * @throws {TypeError} (rejects) If its exports are not callbacks
 * @throws {Error} (rejects) If it throws, a module that it imports cannot be loaded, or it takes too long
 */
export async function loadCallbacks(
  source: string | URL,
  language: "input" | "node",
  timeout: number = LOAD_TIMEOUT,
): Promise<Callbacks> {
  const url = locate(source);
  const isFile = url.protocol === "file:";
  const module: Module = { url, shown: isFile ? shortPath(url) : abbreviated(url.href), loaded: url.href };
  // A module may wait at its top level, and a host or a network disk may never answer.
  const late = () => explained(new Late(`it did not load within ${timeout} s`), module);
  return pick(await inTime(timeout, load(module, language), late), module.shown);
}

/** @throws {TypeError} If it is not a valid URL */
function locate(source: string | URL): URL {
  try {
    return moduleURL(source);
  } catch {
    throw new TypeError(`Cannot load callbacks "${abbreviated(String(source))}": it is not a valid URL`);
  }
}

async function load(module: Module, language: "input" | "node"): Promise<Exports> {
  const { url } = module;
  if (url.protocol === "file:") {
    await checkFile(module);
    module.loaded = language === "node" && !isScript(url)
      ? URL.createObjectURL(new Blob([await read(module)], { type: "application/typescript" }))
      : freshURL(url);
  }
  try {
    return await import(module.loaded);
  } catch (error) {
    throw explained(error, module);
  } finally {
    if (module.loaded.startsWith("blob:")) URL.revokeObjectURL(module.loaded);
  }
}

/** Checks that it is a regular file: a pipe or a device may never end. */
async function checkFile({ url, shown }: Module): Promise<void> {
  let info;
  try {
    info = await Deno.stat(url);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) throw missing(url);
    // Loading it will report any other error.
    return;
  }
  if (info.isDirectory) throw new Deno.errors.IsADirectory(`Cannot load callbacks "${shown}": it is a directory`);
  if (!info.isFile) throw new TypeError(`Cannot load callbacks "${shown}": it is a pipe or a device, not a file`);
  if (info.size > LARGEST) {
    throw new RangeError(`Cannot load callbacks "${shown}": it has ${info.size} bytes, which is too much`);
  }
}

class Late extends Error {}

/** A module of callbacks. */
interface Module {
  readonly url: URL;
  /** As the user names it. */
  readonly shown: string;
  /** What is imported: the URL, the URL with a version, or a `blob:` of the text. */
  loaded: string;
}

/** Whether the extension of a file says that it is TypeScript or JavaScript. */
function isScript(url: URL): boolean {
  return /\.([cm]?[jt]s|[jt]sx)$/i.test(url.pathname);
}

async function read({ url, shown }: Module): Promise<string> {
  try {
    return decodeFile(await Deno.readFile(url));
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) throw missing(url);
    if (cause instanceof Deno.errors.NotCapable) throw needs(`--allow-read=${shown}`, shown);
    throw new Error(`Cannot load callbacks "${shown}": ${(cause as Error).message}`, { cause });
  }
}

function abbreviated(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

type Exports = Readonly<Record<string, unknown>>;

/** The object of callbacks that a module exports. */
function pick(module: Exports, shown: string): Callbacks {
  const byDefault = module.default;
  const candidates = [module, ...(typeof byDefault === "object" && byDefault !== null ? [byDefault as Exports] : [])];
  for (const candidate of candidates) checkCallbacks(candidate, `Cannot load callbacks "${shown}"`);
  const [callbacks, second] = candidates.filter((candidate) =>
    CALLBACK_NAMES.some((name) => candidate[name] !== undefined)
  );
  if (second !== undefined) {
    throw new TypeError(
      `Cannot load callbacks "${shown}": it exports some by their names and some by default. Export all in the same way`,
    );
  }
  if (callbacks === undefined && typeof byDefault === "function") {
    throw new TypeError(
      `Cannot load callbacks "${shown}": its default export is not an object. Write: export default { onHTTPRequest() { ... } }`,
    );
  }
  if (callbacks === undefined) {
    throw new TypeError(
      `Cannot load callbacks "${shown}": it exports none of ${
        CALLBACK_NAMES.join(", ")
      }. Put "export" in front of each callback`,
    );
  }
  return callbacks as Callbacks;
}

function missing(url: URL): Error {
  return new Deno.errors.NotFound(`Cannot load callbacks: there is no file "${fileURLToPath(url)}"`);
}

function needs(flag: string, shown: string): Error {
  return new Deno.errors.NotCapable(`Cannot load callbacks "${shown}": ${runDenoWith(flag)}`);
}

/** The folder of this package. */
const PACKAGE = fileURLToPath(new URL("../../", import.meta.url));

/** What Deno must be allowed to read for a file that a callbacks module imports: of this package, all of it. */
function readable(path: string, module: URL): string {
  if (!path.startsWith(PACKAGE) || module.protocol !== "file:") return shortPath(path);
  return `${shortPath(module)},${shortPath(PACKAGE).replace(/[\\/]$/, "")}`;
}

/** The first place in user code that a message or a stack names: `file:///show.ts:2:13`. */
function placeIn(text: string): string | undefined {
  return /(?:file|https?|blob|data):\S+?:\d+:\d+/.exec(text)?.[0];
}

/** Describes an error in one sentence, with the file and line if they are known. */
function explained(cause: unknown, { url, shown, loaded }: Module): Error {
  const cannot = `Cannot load callbacks "${shown}":`;
  /** Text from Deno, with file names as the user would write them. */
  const tidy = (text: string) =>
    text.replaceAll(loaded, shown)
      .replace(/file:\/\/[^\s"]+?(?=:\d+:\d+|["\s]|$)/g, (file) => shortPath(file));

  if (cause instanceof Late) return new Error(`${cannot} ${cause.message}`);
  const message = cause instanceof Error ? stripVTControlCharacters(cause.message) : "";
  const place = placeIn(message);
  // Deno has one code for every reason why it cannot get a module, and V8 ends its syntax errors with the place.
  const ofRuntime = cause instanceof Error &&
    ((cause as { code?: unknown }).code === "ERR_MODULE_NOT_FOUND" || (cause instanceof SyntaxError && place));
  if (!ofRuntime) {
    const from = cause instanceof Error ? placeIn(cause.stack ?? "") : undefined;
    const thrown = cause instanceof Error ? String(cause) : Deno.inspect(cause);
    return new Error(`${cannot} it throws ${tidy(thrown)}${from ? ` (${tidy(from)})` : ""}`, { cause });
  }

  if (message.startsWith(`Module not found "${loaded}"`)) return missing(url);
  const [, kind, what] = /^Requires (read|import) access to "(.+)", run again/.exec(message) ?? [];
  if (what !== undefined) {
    return needs(kind === "read" ? `--allow-read=${readable(what, url)}` : `--allow-import=${what}`, shown);
  }
  const [detail] = message.replace(/ at \S+:\d+:\d+$/, "").split("\n") as [string];
  const said = `${cannot} ${place ? `${tidy(place)}: ` : ""}`;
  const imported = loaded.startsWith("blob:") ? /^Import "(\.[^"]*)"/.exec(detail)?.[1] : undefined;
  if (imported !== undefined) {
    return new Error(
      `${said}it imports "${imported}", but only a file named .ts or .js can import by a relative path. Rename it`,
      { cause },
    );
  }
  if (cause instanceof SyntaxError || detail.startsWith("SyntaxError: ")) {
    const asJavaScript = loaded.startsWith("file:") && !isScript(url);
    const hint = /\.py$/i.test(url.pathname)
      ? ". Callbacks in Python must be translated to TypeScript: see docs/porting.md"
      : asJavaScript
      ? '. Set parameter "language" to "node" to load it as TypeScript'
      : "";
    return new SyntaxError(`${said}${tidy(detail.replace("SyntaxError: ", ""))}${hint}`, { cause });
  }
  return new Error(`${said}${tidy(detail).replace(/\.$/, "")}`, { cause });
}
