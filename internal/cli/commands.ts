/** The commands of the program that do not run the server. */

import type { WebServer } from "../../server.ts";
import { print } from "../operator/console.ts";
import { commandLine } from "./invocation.ts";

/** Writes the callbacks of the template to a file, and says how to run them. */
export async function init(server: WebServer, directory = "."): Promise<void> {
  const path = await server.exposeCallbacks(directory);
  const command = commandLine(["--allow-net", `--allow-read=${path}`], ["--callbacks", path, "--watch"]);
  print("log", `Created ${path}. Edit it, then run:\n${command}`);
}

/** Prints the hash of a password. */
export async function hashPassword(): Promise<void> {
  const { askPassword } = await import("./ask_password.ts");
  const { hashPassword } = await import("../../auth.ts");
  print("log", await hashPassword(await askPassword()));
}

/** Prints the callbacks that go into TouchDesigner. */
export async function printCallbacks(): Promise<void> {
  const { CALLBACKS } = await import("../touchdesigner/callbacks_py.ts");
  print("log", CALLBACKS.trimEnd());
}
