/** Who is measured: programs in `subjects/`, each in a process of its own. */

import { generate } from "npm:selfsigned@5.5.0";
import { Process } from "./process.ts";

/** The measure of the others first, then this server. */
export const SUBJECTS = ["bare", "webserver", "hono", "crossws", "node:http", "ws"] as const;
export type Subject = (typeof SUBJECTS)[number];

/** Who takes part in a case about HTTP, and in one about WebSockets. */
export const HTTP: readonly Subject[] = ["bare", "webserver", "hono", "node:http"];
export const WEBSOCKET: readonly Subject[] = ["bare", "webserver", "crossws", "ws"];

/** A file of the size of a library for web pages. */
const FILE_SIZE = 65_536;

const here = (file: string) => new URL(file, import.meta.url).pathname;

/** A folder with what subjects serve: `file.js`, and `certificate.pem` with its `key.pem`. */
export async function makeFolder(): Promise<string> {
  const folder = await Deno.makeTempDir();
  const { cert, private: key } = await generate([{ name: "commonName", value: "localhost" }], { keyType: "ec" });
  await Deno.writeTextFile(`${folder}/certificate.pem`, cert);
  await Deno.writeTextFile(`${folder}/key.pem`, key);
  await Deno.writeTextFile(`${folder}/file.js`, "// A line of forty characters, as such..\n".repeat(FILE_SIZE / 41));
  return folder;
}

/** Whether Node is here to be measured. */
export async function hasNode(): Promise<boolean> {
  try {
    await new Deno.Command("node", { args: ["--version"] }).output();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** A subject that listens. A line that it is sent has it collect its garbage, and is answered then. */
export interface Running {
  readonly process: Process;
  readonly port: number;
}

/** Starts a subject, to serve what its program has under that name. */
export async function start(subject: Subject, name: string, folder: string): Promise<Running> {
  const process = subject === "node:http" || subject === "ws"
    ? new Process("node", [
      "--expose-gc",
      here("subjects/node.mjs"),
      name,
      folder,
      import.meta.resolve("npm:ws@8.23.0"),
    ])
    : new Process(Deno.execPath(), [
      "run",
      "--quiet",
      "--frozen",
      `--lock=${here("../tests/deno.lock")}`,
      "--allow-all",
      "--v8-flags=--expose-gc",
      here(`subjects/${subject}.ts`),
      name,
      folder,
    ]);
  return { process, port: Number(await process.line()) };
}
