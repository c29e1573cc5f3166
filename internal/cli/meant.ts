/** What was meant by words that the command line does not know, and flags that have no effect alone. */

import { canonicalIP } from "../engine/address.ts";
import { shellWord } from "../engine/shell.ts";
import { nearest } from "../operator/nearest.ts";
import type { Values } from "./flags.ts";
import { UsageError } from "./usage_error.ts";

/** The commands. */
const COMMANDS: readonly string[] = ["init", "hash-password", "touchdesigner"];

/** What was probably meant by a word that is not a command. */
function meantBy(word: string): string | undefined {
  const command = nearest(word, COMMANDS);
  if (command !== undefined) return command;
  if (/^\d{1,5}$/.test(word)) return `--port ${word}`;
  if (canonicalIP(word) !== undefined || word === "localhost") return `--localaddress ${word}`;
  if (/\.(?:[cm]?[jt]sx?|dat|txt)$/i.test(word) || /^(?:file|https?):/.test(word)) {
    return `--callbacks ${shellWord(word)}`;
  }
  return undefined;
}

/** Checks a word in the place of a command. */
export function checkCommand(word: string): void {
  if (COMMANDS.includes(word)) return;
  if (/^(?:true|false|on|off|yes|no)$/i.test(word)) {
    throw new UsageError(`There is no command "${word}": a flag such as --secure takes no value, so leave it out`);
  }
  const meant = meantBy(word);
  throw new UsageError(
    `There is no command ${JSON.stringify(word)}${meant === undefined ? "" : `: did you mean ${meant}?`}`,
  );
}

/** The flags that a command takes. */
const FLAGS: Record<string, readonly string[]> = { init: ["name", "extension", "customext"] };

/** Checks that a command takes the flags that it is given. */
export function checkFlags(command: string, values: Values): void {
  const taken = FLAGS[command] ?? [];
  const other = Object.keys(values).find((name) => !taken.includes(name));
  if (other !== undefined) throw new UsageError(`--${other} has no effect on ${command}: leave it out`);
}

/** Checks that a flag which takes another one has it. */
export function checkTogether(values: Values): void {
  if (!values.secure) {
    for (const name of ["privatekey", "certificate", "password-file"]) {
      if (values[name] !== undefined) throw new UsageError(`--${name} has no effect without --secure: add --secure`);
    }
  }
  const { callbacks = "" } = values;
  const isRemote = /^(?!file:)[a-z][a-z\d+.-]+:/i.test(String(callbacks));
  if (values.watch && !values.secure && (callbacks === "" || isRemote)) {
    throw new UsageError("--watch has no file to watch: add --callbacks FILE, or --secure with a certificate");
  }
}
