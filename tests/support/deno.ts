/** Running Deno with the settings of this project. */

import { fileURLToPath } from "node:url";
import { type Ended, output, Program, type ProgramOptions } from "./program.ts";

/** The folder of the project. */
export const ROOT: URL = new URL("../../", import.meta.url);
/** The package, which is also the program. */
export const PACKAGE: string = new URL("mod.ts", ROOT).href;
/** The path of the project's settings. */
export const CONFIG: string = fileURLToPath(new URL("deno.json", ROOT));

/** The lock file of the tests has the packages that only tests and measurements need. */
const LOCK = `--lock=${fileURLToPath(new URL("tests/deno.lock", ROOT))}`;

/** The flags of every program. One that loads modules over http: has `--no-lock`, since Deno would add them to the lock file. */
function flagsFor(args: readonly string[]): string[] {
  return ["--quiet", `--config=${CONFIG}`, ...(args.includes("--no-lock") ? [] : [LOCK])];
}

type Subcommand = "run" | "serve" | "check";

/** Starts Deno, in the folder of the project unless `cwd` names another. */
export function deno(subcommand: Subcommand, args: string[], options: ProgramOptions = {}): Program {
  return new Program(Deno.execPath(), [subcommand, ...flagsFor(args), ...args], { cwd: ROOT, ...options });
}

/** Runs Deno to its end, in the folder of the project unless `cwd` names another. */
export function denoOutput(
  subcommand: Subcommand,
  args: string[],
  options: Parameters<typeof output>[2] = {},
): Promise<Ended> {
  return output(Deno.execPath(), [subcommand, ...flagsFor(args), ...args], { cwd: ROOT, ...options });
}
