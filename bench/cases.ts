/** What is measured, and what this server must reach. */

import { Process } from "./process.ts";
import { HTTP, type Running, start, type Subject, WEBSOCKET } from "./subjects.ts";

/** Connections of the load, and where each request is of 1 MiB: what is cut off at the end is a part of it all. */
const CONNECTIONS = 32;
const LARGE_CONNECTIONS = 8;
/** Clients of a broadcast. */
const AUDIENCE = 1_000;
/** Connections of the case about memory. */
const IDLE = 5_000;
/** Connections that come and go, in so many parts. */
const CHURN = 20_000;
const PARTS = 8;

/** What one measurement gave. */
export interface Sample {
  readonly figure: number;
  /** Seconds of the subject's processor time for each operation, where it has operations. */
  readonly cpu?: number;
}

/** A subject made ready: each call takes one sample. */
export type Sampler = (seconds: number) => Promise<Sample>;

export interface Case {
  readonly name: string;
  readonly subjects: readonly Subject[];
  /** Of the figure, such as `requests/s`. */
  readonly unit: string;
  /** How this server must do: its ratio to bare at least, or at most; or its figure at most. */
  readonly target: { readonly ratioAtLeast: number } | { readonly ratioAtMost: number } | {
    readonly figureAtMost: number;
  };
  /** Rounds, where they are not as many as asked for. */
  readonly rounds?: number;
  /** Whether wrk is needed. */
  readonly wrk?: boolean;
  /** Makes a subject ready; what it starts, it puts on the stack. */
  prepare(subject: Subject, folder: string, stack: AsyncDisposableStack): Promise<Sampler> | Sampler;
}

/** The processor time that a subject spends on what `load` does, for each operation of it. */
async function timed(
  { process }: Running,
  load: () => Promise<{ operations: number; rate: number }>,
): Promise<Sample> {
  const before = process.cpuTime();
  const { operations, rate } = await load();
  return { figure: rate, cpu: (process.cpuTime() - before) / operations };
}

async function wrk(
  connections: number,
  args: string[],
  seconds: number,
): Promise<{ operations: number; rate: number }> {
  const { stdout } = await new Deno.Command("wrk", {
    args: ["-t1", `-c${connections}`, `-d${seconds}s`, ...args],
  }).output();
  const report = new TextDecoder().decode(stdout);
  const operations = Number(/(\d+) requests in/.exec(report)?.[1]);
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(report)?.[1]);
  if (operations === 0) throw new Error("No answer came in time: raise --seconds, or leave the machine to the bench");
  if (!(rate > 0) || /Non-2xx|Socket errors/.test(report)) throw new Error(`The load met errors:\n${report}`);
  return { operations, rate };
}

/** Requests by wrk. */
function requests(
  name: string,
  ratioAtLeast: number,
  { uri = "/", secure = false, connections = CONNECTIONS, script = undefined as string | undefined } = {},
): Case {
  return {
    name,
    subjects: HTTP,
    unit: "requests/s",
    target: { ratioAtLeast },
    wrk: true,
    async prepare(subject, folder, stack) {
      const running = await start(subject, name, folder);
      stack.use(running.process);
      const url = `${secure ? "https" : "http"}://127.0.0.1:${running.port}${uri}`;
      const scripts = script === undefined ? [] : ["-s", new URL(script, import.meta.url).pathname];
      return (seconds) => timed(running, () => wrk(connections, [...scripts, url], seconds));
    },
  };
}

/** Starts the load of `websocket_load.ts`, with its connections open. */
async function websockets(mode: string, ...numbers: number[]): Promise<Process> {
  const load = new Process(Deno.execPath(), [
    "run",
    "--quiet",
    "--no-lock",
    "--allow-ffi",
    new URL("websocket_load.ts", import.meta.url).pathname,
    mode,
    ...numbers.map(String),
  ]);
  await load.line();
  return load;
}

/** Messages by `websocket_load.ts`. */
function messages(
  name: string,
  { mode, connections, size, depth }: { mode: string; connections: number; size: number; depth: number },
): Case {
  return {
    name,
    subjects: WEBSOCKET,
    unit: "messages/s",
    target: { ratioAtLeast: 0.95 },
    async prepare(subject, folder, stack) {
      const running = stack.adopt(await start(subject, mode, folder), ({ process }) => process[Symbol.asyncDispose]());
      const load = stack.use(await websockets(mode, running.port, connections, size, depth));
      return (seconds) =>
        timed(running, async () => {
          const start = performance.now();
          const operations = Number(await load.ask(String(seconds)));
          return { operations, rate: operations / (performance.now() - start) * 1000 };
        });
    },
  };
}

const echo = (name: string, size: number, depth: number) =>
  messages(name, { mode: "echo", connections: CONNECTIONS, size, depth });

/** Files that a runtime opens for itself, at the first connection. */
const OWN_FILES = 16;

/** Resident memory when what is to be closed is closed, and the garbage is collected. */
async function settledMemory({ process }: Running, files: number): Promise<number> {
  for (let tries = 0; process.openFiles() > files + OWN_FILES; tries++) {
    if (tries === 100) throw new Error(`${process.openFiles() - files} files stay open`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  for (let count = 0; count < 3; count++) await process.ask("collect");
  return process.residentMemory();
}

const idle: Case = {
  name: "idle",
  subjects: WEBSOCKET,
  unit: "bytes a connection",
  target: { ratioAtMost: 1.15 },
  rounds: 3,
  prepare: (subject, folder) => async () => {
    const running = await start(subject, "echo", folder);
    await using process = running.process;
    const files = process.openFiles();
    const empty = await settledMemory(running, files);
    await using load = await websockets("idle", running.port);
    await load.ask(String(IDLE));
    return { figure: (await settledMemory(running, files + IDLE) - empty) / IDLE };
  },
};

const churn: Case = {
  name: "churn",
  subjects: WEBSOCKET,
  unit: "bytes left by each",
  // The growth of heaps and caches that settle; a leak of an object for each connection is more.
  target: { figureAtMost: 32 },
  rounds: 1,
  prepare: (subject, folder) => async () => {
    const running = await start(subject, "echo", folder);
    await using process = running.process;
    const files = process.openFiles();
    await using load = await websockets("churn", running.port, CONNECTIONS);
    const part = CHURN / PARTS;
    await load.ask(String(part));
    let memory = await settledMemory(running, files);
    let repeated = Infinity;
    for (let count = 0; count < PARTS; count++) {
      await load.ask(String(part));
      const next = await settledMemory(running, files);
      repeated = Math.min(repeated, (next - memory) / part);
      memory = next;
    }
    return { figure: Math.max(repeated, 0) };
  },
};

const begin: Case = {
  name: "start",
  subjects: HTTP,
  unit: "ms",
  target: { ratioAtMost: 1.3 },
  prepare: (subject, folder) => async () => {
    const before = performance.now();
    const { process, port } = await start(subject, "template", folder);
    await using _ = process;
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    await answer.body?.cancel();
    return { figure: performance.now() - before };
  },
};

export const CASES: readonly Case[] = [
  requests("template", 0.95),
  requests("json", 0.85, { uri: "/mixer/level?level=0.5&channel=3" }),
  requests("upload", 0.95, { connections: LARGE_CONNECTIONS, script: "upload.lua" }),
  requests("download", 0.95, { connections: LARGE_CONNECTIONS }),
  requests("file", 0.9),
  requests("https", 0.95, { secure: true }),
  echo("echo 64 B", 64, 1),
  echo("echo 64 B, 16 deep", 64, 16),
  echo("echo 64 KiB", 65_536, 1),
  echo("echo 64 KiB, 16 deep", 65_536, 16),
  messages("broadcast", { mode: "broadcast", connections: AUDIENCE, size: 64, depth: 4 }),
  idle,
  churn,
  begin,
];
