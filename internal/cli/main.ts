/** The command line. What it needs beyond starting a server is loaded on demand. */

import deno from "../../deno.json" with { type: "json" };
import { WebServer } from "../../server.ts";
import { print, reword } from "../operator/console.ts";
import { COULD_NOT_START, USAGE } from "./exit_codes.ts";
import { FLAG_PARAMETERS, parametersOf, parse, type Values } from "./flags.ts";
import { serve } from "./serve.ts";
import { UsageError } from "./usage_error.ts";
import { withFlags } from "./wording.ts";

async function showHelp(): Promise<void> {
  const { help } = await import("./help.ts");
  print("log", help());
}

/** Checks the words of the command line, and the flags that go together. */
async function check([command, ...words]: string[], values: Values): Promise<void> {
  if (command === undefined && Object.keys(values).length === 0) return;
  const { checkCommand, checkFlags, checkTogether } = await import("./meant.ts");
  if (command === undefined) return checkTogether(values);
  checkCommand(command);
  checkFlags(command, values);
  if (words.length > (command === "init" ? 1 : 0)) throw new UsageError(`Unexpected argument: "${words.at(-1)}"`);
}

async function run(args: string[]): Promise<void> {
  const { values, words } = await parse(args);
  if (values.help) return await showHelp();
  if (values.version) return print("log", deno.version);
  await check(words, values);
  let server;
  try {
    server = new WebServer(await parametersOf(values));
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError((error as Error).message);
  }
  const [command, directory] = words;
  if (command === undefined) return await serve(server, { log: values.log === true, qr: values.qr === true });
  const { hashPassword, init, printCallbacks } = await import("./commands.ts");
  if (command === "init") await init(server, directory);
  else if (command === "hash-password") await hashPassword();
  else await printCallbacks();
}

/** Runs the program; sets the exit code. */
export async function main(args: string[]): Promise<void> {
  reword((message) => withFlags(message, FLAG_PARAMETERS));
  try {
    await run(args);
  } catch (error) {
    const usage = error instanceof UsageError;
    const { message } = error as Error;
    print("error", usage ? `${message}${message.endsWith("?") ? "" : "."} See --help for all options` : message);
    Deno.exitCode = usage ? USAGE : COULD_NOT_START;
  }
}
