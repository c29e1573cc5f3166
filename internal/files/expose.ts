/** The callbacks as a file for an external editor. */

import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { runDenoWith } from "../engine/shell.ts";

/** The parameters that name the file. */
export interface CallbacksFile {
  readonly name: string;
  readonly extension: "dat" | "language" | "custom";
  readonly customext: string;
}

/**
 * Writes the template's callbacks, with their contract in comments and types, as `<name>_callbacks.<extension>`. The file
 * is TypeScript, whatever its extension.
 *
 * @param directory The directory of the new file, relative to the working directory
 * @returns The path of the file: `directory`, and its name
 * @throws {RangeError} (rejects) If `extension` is `custom`, and `customext` cannot be the extension of a TypeScript file
 * @throws {Deno.errors.AlreadyExists} (rejects) If the file already exists; it is not changed
 * @throws {Deno.errors.NotFound} (rejects) If the directory does not exist
 * @throws {Deno.errors.NotCapable} (rejects) Without `--allow-write` of the file
 */
export async function exposeCallbacks(directory: string, file: CallbacksFile): Promise<string> {
  const path = join(directory, `${file.name}_callbacks.${extensionOf(file)}`);
  const text = await templateFor(path);
  try {
    await Deno.writeTextFile(path, text, { createNew: true });
  } catch (cause) {
    throw explained(cause, path);
  }
  return path;
}

function extensionOf({ extension, customext }: CallbacksFile): string {
  if (extension === "dat") return "dat";
  if (extension === "language") return "ts";
  if (customext === "" || /^(?:[cm]?js|jsx|json)$/i.test(customext)) {
    throw new RangeError(
      `Cannot write the callbacks with parameter "customext" set to "${customext}": they are TypeScript. Set it to the ` +
        `extension that your editor expects`,
    );
  }
  return customext;
}

const MODULE = new URL("../../mod.ts", import.meta.url);
const SETTINGS = new URL("../../deno.json", import.meta.url);

/** The text of the template module, with its types imported from this package. */
async function templateFor(path: string): Promise<string> {
  const { default: text } = await import("../operator/template.ts", { with: { type: "text" } }) as { default: string };
  const directory = resolve(dirname(path));
  // A package from a registry needs no settings.
  const settings = MODULE.protocol === "file:" ? `--config "${nameFrom(directory, SETTINGS)}" ` : "";
  return text
    .replace('"../../mod.ts"', `"${nameFrom(directory, MODULE)}"`)
    // `deno check` ignores files with other extensions.
    .replace(
      /.*deno check.*\n/,
      (line) => /\.[cm]?tsx?$/.test(path) ? line.replace("callbacks.ts", settings + basename(path)) : "",
    );
}

/** The name by which a file in a directory refers to a file of this package. */
function nameFrom(directory: string, file: URL): string {
  const published = /^https:\/\/jsr\.io\/(@[^/]+\/[^/]+)\/([^/]+)\//.exec(file.href);
  if (published) return `jsr:${published[1]}@^${published[2]}`;
  if (file.protocol !== "file:") return file.href;
  const path = relative(directory, fileURLToPath(file)).replaceAll("\\", "/");
  // On another drive of Windows there is no relative path.
  if (/^[a-z]:/i.test(path)) return file.href;
  return path.startsWith(".") ? path : `./${path}`;
}

function explained(cause: unknown, path: string): unknown {
  const cannot = `Cannot write the callbacks to "${path}":`;
  if (cause instanceof Deno.errors.AlreadyExists) {
    return new Deno.errors.AlreadyExists(`${cannot} the file already exists and was not changed`, { cause });
  }
  if (cause instanceof Deno.errors.NotFound) {
    return new Deno.errors.NotFound(`${cannot} the directory does not exist`, { cause });
  }
  if (cause instanceof Deno.errors.NotCapable) {
    return new Deno.errors.NotCapable(`${cannot} ${runDenoWith(`--allow-write=${path}`)}`, { cause });
  }
  return cause;
}
