/** The program, and other programs that import the package, for the tests. */

import { CONFIG as config, deno, denoOutput, PACKAGE as program } from "./support/deno.ts";
import type { Ended, Program } from "./support/program.ts";

export { config, type Program, program };

/** Starts a program, and waits for its first line. */
export async function start(
  args: string[],
  permissions = ["--allow-net"],
  subcommand: "run" | "serve" = "run",
  env: Record<string, string> = {},
): Promise<Program> {
  const started = deno(subcommand, [...permissions, ...args], { env, stdin: "null" });
  try {
    await started.printed("\n");
    return started;
  } catch (error) {
    await started.stop("SIGKILL");
    throw error;
  }
}

/** Starts a program that a test has written, in which `WebServer` is imported. It prints its port first. */
export async function startSource(
  source: string,
  permissions: string[] = ["--allow-net", "--allow-sys", "--allow-read"],
): Promise<Program & { readonly port: number }> {
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(path, `import { WebServer } from ${JSON.stringify(program)};\n${source}`);
  try {
    const running = await start([path], permissions);
    return Object.assign(running, { port: Number(running.firstLine) });
  } finally {
    await Deno.remove(path);
  }
}

/** The address in the line by which the program says that it listens. */
export function urlOf({ firstLine }: Program): string {
  return /https?:\S+/.exec(firstLine)![0];
}

/** Starts the server on a free loopback port. */
export function startProgram(args: string[], permissions?: string[]): Promise<Program> {
  return start([program, "--port", "0", "--localaddress", "127.0.0.1", ...args], permissions);
}

/** Runs the program to its end. */
export function run(args: string[], permissions = ["--allow-net"], input?: string): Promise<Ended> {
  return denoOutput("run", [...permissions, program, ...args], { input });
}
