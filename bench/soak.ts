/**
 * Ten minutes of mixed load: requests, uploads and downloads, WebSockets that come and go, clients that hang and lie; meanwhile the
 * callbacks are reloaded and the server is restarted, each of them every twenty seconds. Nothing may be lost (`soak/clients.ts` says what
 * that is), each WebSocket that is opened is closed once, and memory and open files are flat at the end. Exit code 1 if not.
 *
 * `--minutes N` changes the length. Needs Linux.
 */

import { parseArgs } from "node:util";
import { deno } from "../tests/support/deno.ts";
import type { Program } from "../tests/support/program.ts";
import { openFiles, residentMemory } from "../tests/support/usage.ts";
import { HTTPClient, Refused } from "./soak/http_client.ts";
import type { Ledger } from "./soak/ledger.ts";

/** Looks at memory and open files. */
const SAMPLES = 60;
/** Milliseconds from a restart to a reload, and from a reload to a restart. */
const EVENT_INTERVAL = 10_000;
/** Bytes that Deno keeps of each load of the callbacks, by a reload or a restart: a module is never forgotten. */
const KEPT_BY_LOAD = 100_000;
/** How much more than that the memory may grow over the last quarter: the noise of a busy heap. */
const GROWTH = 0.05;
/** Minutes below which memory is only shown. */
const WARM_UP = 8;
/** Files that Deno opens and closes as it likes. */
const OWN_FILES = 4;
/** Milliseconds for a saved file to take effect. */
const RELOAD_TIMEOUT = 10_000;

const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" } } });
const minutes = Number(values.minutes);
if (!(minutes > 0)) {
  console.error(`Cannot soak: --minutes takes a number above 0, not "${values.minutes}"`);
  Deno.exit(1);
}

const faults: string[] = [];
const here = (file: string) => new URL(file, import.meta.url).pathname;

function program(file: string, ...args: string[]): Program {
  return deno("run", ["--frozen", "--allow-all", "--v8-flags=--expose-gc", here(file), ...args]);
}

const folder = await Deno.makeTempDir();
const callbacks = `${folder}/callbacks.ts`;
const source = await Deno.readTextFile(here("soak/callbacks.ts"));

/** Saves the callbacks as an editor does that is careful: under another name first. */
async function save(version: number): Promise<void> {
  await Deno.writeTextFile(`${callbacks}.new`, source.replace("VERSION = 0", `VERSION = ${version}`));
  await Deno.rename(`${callbacks}.new`, callbacks);
}

/** Saves a new version, and waits until it answers. */
async function reload(port: number, version: number): Promise<void> {
  await save(version);
  using client = new HTTPClient(port);
  for (const start = performance.now(); performance.now() < start + RELOAD_TIMEOUT;) {
    try {
      const { body } = await client.request("GET", "/version");
      if (new TextDecoder().decode(body) === String(version)) return;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  faults.push(`Version ${version} of the callbacks was saved, but not loaded within ${RELOAD_TIMEOUT} ms`);
}

/** The least of the last quarter against that of the one before it: above it is what happens to be under way. */
function checkMemory(samples: readonly number[]): void {
  const quarter = samples.length >> 2;
  const loads = minutes / 4 * 60_000 / EVENT_INTERVAL;
  const [before, after] = [Math.min(...samples.slice(-2 * quarter, -quarter)), Math.min(...samples.slice(-quarter))];
  const allowed = before * (1 + GROWTH) + loads * KEPT_BY_LOAD;
  const text = `from ${(before / 1e6).toFixed(1)} to ${(after / 1e6).toFixed(1)} MB in the last quarter`;
  console.log(`memory: ${text}`);
  if (minutes < WARM_UP) console.log(`(a heap takes ${WARM_UP} minutes to find its size: no verdict)`);
  else if (after > allowed) faults.push(`The memory grows: ${text}`);
}

async function soak(): Promise<void> {
  await save(0);
  await using server = program("soak/server.ts", callbacks);
  const port = Number(await server.next());
  await server.ask("collect");
  const files = openFiles(server.pid);
  await using clients = program("soak/clients.ts", String(port));
  await using misfits = program("soak/misfits.ts", String(port));
  const memory: number[] = [];
  const start = performance.now();
  let events = 0;
  for (let sample = 1; sample <= SAMPLES; sample++) {
    const now = () => performance.now() - start;
    const due = sample * minutes * 60_000 / SAMPLES;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - now())));
    for (const each of [server, clients, misfits]) each.check();
    await server.ask("collect");
    memory.push(residentMemory(server.pid));
    console.log(
      `${Math.round(now() / 1000)} s: ${(memory.at(-1)! / 1e6).toFixed(1)} MB, ${openFiles(server.pid)} files`,
    );
    if (now() < (events + 1) * EVENT_INTERVAL) continue;
    if (++events % 2) await reload(port, events);
    else await server.ask("restart");
  }
  await Promise.all([clients.next(), misfits.next()]);
  const behaved = JSON.parse(await clients.ask("end"));
  const misbehaved = JSON.parse(await misfits.ask("end"));
  const ledger = JSON.parse(await server.ask("end")) as Ledger;
  faults.push(...behaved.faults, ...ledger.faults);
  console.log("clients:", { ...behaved, faults: behaved.faults.length }, misbehaved);
  console.log("server:", { ...ledger, faults: ledger.faults.length });
  for (const code of Object.keys(ledger.codes)) {
    if (code !== "1000" && code !== "1001") faults.push(`${ledger.codes[Number(code)]} WebSockets ended with ${code}`);
  }
  if (ledger.opened !== ledger.closed) faults.push(`${ledger.opened} WebSockets were opened, ${ledger.closed} closed`);
  for (let tries = 0; tries < 100 && openFiles(server.pid) > files + OWN_FILES; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const left = openFiles(server.pid);
  console.log(`open files: ${files} before, ${left} after`);
  if (left > files + OWN_FILES) faults.push(`${left - files} files are left open`);
  checkMemory(memory);
}

try {
  await soak();
} catch (error) {
  faults.push((error as Error).message);
} finally {
  await Deno.remove(folder, { recursive: true });
}
for (const fault of faults.slice(0, 50)) console.error(fault);
console.log(faults.length === 0 ? "Nothing was lost and nothing was left behind" : `${faults.length} faults`);
Deno.exitCode = faults.length === 0 ? 0 : 1;
