/** The servers that are measured: programs in `subjects/`, each in a separate process. */

import { generate } from "npm:selfsigned@5.5.0";
import { deno, ROOT } from "../tests/support/deno.ts";
import { output, Program } from "../tests/support/program.ts";

/** The one that the others are compared with first, then this server. */
export const SUBJECTS = ["bare", "webserver", "hono", "crossws", "node:http", "ws", "bun"] as const;
export type Subject = (typeof SUBJECTS)[number];

/** The subjects of the cases about HTTP, and of those about WebSockets. */
export const HTTP: readonly Subject[] = ["bare", "webserver", "hono", "node:http", "bun"];
export const WEBSOCKET: readonly Subject[] = ["bare", "webserver", "crossws", "ws", "bun"];

const WS = "npm:ws@8.23.0";

/** The program that runs those which do not run on Deno. */
const OTHERS: Partial<Record<Subject, "node" | "bun">> = { "node:http": "node", ws: "node", bun: "bun" };

/** A file of the size of a library for web pages. */
const FILE_SIZE = 65_536;

const here = (file: string) => new URL(`bench/subjects/${file}`, ROOT).pathname;

/** A folder with what subjects serve: `file.js`, and `certificate.pem` with its `key.pem`. */
export async function makeFolder(): Promise<string> {
  const folder = await Deno.makeTempDir();
  const { cert, private: key } = await generate([{ name: "commonName", value: "localhost" }], { keyType: "ec" });
  await Deno.writeTextFile(`${folder}/certificate.pem`, cert);
  await Deno.writeTextFile(`${folder}/key.pem`, key);
  await Deno.writeTextFile(`${folder}/file.js`, "// A line of forty characters, as such..\n".repeat(FILE_SIZE / 41));
  return folder;
}

/** Versions by name, and why some subjects cannot be measured. */
export interface Inventory {
  readonly versions: Record<string, string>;
  readonly missing: ReadonlyMap<Subject, string>;
}

/** Which runtimes are installed here, and the versions of everything that is measured. */
export async function takeInventory(): Promise<Inventory> {
  const versions: Record<string, string> = { Deno: Deno.version.deno };
  const missing = new Map<Subject, string>();
  for (const [name, program, remedy] of [["Node", "node", "see nodejs.org"], ["Bun", "bun", "npm install -g bun"]]) {
    const reason = await output(program!, ["--version"]).then(
      ({ code, stdout, stderr }) => {
        if (code !== 0) return `${name} cannot run here: ${stderr.trim() || `exit code ${code}`}`;
        versions[name!] = stdout.trim().replace(/^v/, "");
        return undefined;
      },
      () => `${name} is not installed (${remedy})`,
    );
    if (reason === undefined) continue;
    for (const [subject, needed] of Object.entries(OTHERS)) {
      if (needed === program) missing.set(subject as Subject, reason);
    }
  }
  // The versions of packages stand in the imports of the subjects.
  const sources = await Promise.all(["hono.ts", "crossws.ts"].map((file) => Deno.readTextFile(here(file))));
  for (const source of [...sources, WS]) {
    const [, name, version] = /npm:([^@]+)@([\d.]+)/.exec(source)!;
    versions[name!] = version!;
  }
  return { versions, missing };
}

/** A subject that listens. A line that it is sent has it collect its garbage, and is answered then. */
export interface Running {
  readonly process: Program;
  readonly port: number;
}

/** Starts a subject, to serve what its program has under that name. */
export async function start(subject: Subject, name: string, folder: string): Promise<Running> {
  const process = startProcess(subject, name, folder);
  return { process, port: Number(await process.next()) };
}

function startProcess(subject: Subject, name: string, folder: string): Program {
  const runtime = OTHERS[subject];
  if (runtime === "node") {
    return new Program("node", ["--expose-gc", here("node.mjs"), name, folder, import.meta.resolve(WS)]);
  }
  if (runtime === "bun") return new Program("bun", ["run", here("bun.mjs"), name, folder]);
  const flags = ["--frozen", "--allow-all", "--v8-flags=--expose-gc"];
  return deno("run", [...flags, here(`${subject}.ts`), name, folder]);
}
