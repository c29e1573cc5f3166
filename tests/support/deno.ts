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
const FLAGS = ["--quiet", `--config=${CONFIG}`, `--lock=${fileURLToPath(new URL("tests/deno.lock", ROOT))}`];

type Subcommand = "run" | "serve" | "check";

/** Starts Deno, in the folder of the project unless `cwd` names another. */
export function deno(subcommand: Subcommand, args: string[], options: ProgramOptions = {}): Program {
  return new Program(Deno.execPath(), [subcommand, ...FLAGS, ...args], { cwd: ROOT, ...options });
}

/** Runs Deno to its end, in the folder of the project unless `cwd` names another. */
export function denoOutput(
  subcommand: Subcommand,
  args: string[],
  options: Parameters<typeof output>[2] = {},
): Promise<Ended> {
  return output(Deno.execPath(), [subcommand, ...FLAGS, ...args], { cwd: ROOT, ...options });
}
