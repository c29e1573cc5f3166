/** How this program was started, for commands that the user can paste. */

import { sep } from "node:path";
import { shellWord } from "../engine/shell.ts";
import { shortPath } from "../files/source.ts";

/** Columns of a command; a longer one is continued on the next line. */
const WIDTH = 79;

const MODULE = new URL("../../mod.ts", import.meta.url);

/** How the user names this package: a path, `jsr:`, or another URL. */
function moduleName({ href, protocol }: URL): string {
  if (protocol === "file:") return shortPath(href);
  const [, name, version] = /^https:\/\/jsr\.io\/(@[^/]+\/[^/]+)\/([^/]+)\//.exec(href) ?? [];
  return name === undefined ? href : `jsr:${name}@${version}`;
}

/** The program that runs: its own file when it is compiled, npx when that has fetched Deno, or else Deno. */
function program(execPath: string): string[] {
  if (Deno.build.standalone) {
    const path = shortPath(execPath);
    // A shell looks for a bare name elsewhere.
    return [path.includes(sep) ? path : `.${sep}${path}`];
  }
  return /[\\/]_npx[\\/]/.test(execPath) ? ["npx", "--yes", `deno@${Deno.version.deno}`, "run"] : ["deno", "run"];
}

/**
 * A command that runs this program, in the way it was started, quoted for the shell.
 *
 * @param permissions Deno's flags; a compiled program has its own
 * @param args The arguments of the program
 */
export function commandLine(permissions: readonly string[], args: readonly string[]): string {
  const deno = Deno.build.standalone ? [] : [...permissions, moduleName(MODULE)];
  return [...program(Deno.execPath()), ...deno, ...args].map((word) => shellWord(word)).join(" ");
}

/** The command, continued on further lines where it is long: by a backslash, which Windows does not have. */
export function folded(command: string, indent = "  "): string {
  if (Deno.build.os === "windows") return indent + command;
  const lines: string[] = [];
  let line = indent;
  // At flags only, so that a flag stays with its value.
  for (const part of command.split(/ (?=--|\S*mod\.ts\b)/)) {
    if (line.trim() !== "" && line.length + part.length > WIDTH) {
      lines.push(`${line}\\`);
      line = `${indent}  `;
    }
    line += `${part} `;
  }
  return [...lines, line].join("\n").trimEnd();
}
