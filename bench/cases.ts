/** What is measured, and what this server must reach. */

import { deno } from "../tests/support/deno.ts";
import { output, type Program } from "../tests/support/program.ts";
import { cpuTime, openFiles, residentMemory } from "../tests/support/usage.ts";
import { HTTP, type Running, start, type Subject, WEBSOCKET } from "./subjects.ts";

/** Connections of the load: fewer for bodies of 1 MiB and of 16 MiB. */
const CONNECTIONS = 32;
const LARGE_CONNECTIONS = 8;
const LARGEST_CONNECTIONS = 2;
/** Clients of a broadcast. */
const AUDIENCE = 1_000;
/** Connections of the case about memory. */
const IDLE = 5_000;
/** Clients that read nothing of their answer. */
const SLOW_READERS = 1_000;
/** Connections that come and go, measured in parts. */
const CHURN = 12_000;
const PARTS = 6;

/** What one measurement gave. */
export interface Sample {
  readonly figure: number;
  /** Seconds of the subject's processor time for each operation, if it has operations. */
  readonly cpu?: number;
}

/** How well this server should do; each that is given must be reached. */
export interface Target {
  /** The work that it does for the same processor time, as a ratio to bare, at least. */
  readonly cpuAtLeast?: number;
  /** The ratio of its figure to that of bare, at least. */
  readonly ratioAtLeast?: number;
  /** The ratio of its figure to that of bare, at most. */
  readonly ratioAtMost?: number;
  /** The ratio of its figure to that of Node in the same round, at least; only if Node is measured. */
  readonly ofNodeAtLeast?: number;
  /** Its figure, at most. */
  readonly figureAtMost?: number;
}

/** A subject made ready: each call takes one sample. */
export type Sampler = (seconds: number) => Promise<Sample>;

export interface Case {
  readonly name: string;
  readonly subjects: readonly Subject[];
  /** Of the figure, such as `requests/s`. */
  readonly unit: string;
  readonly target: Target;
  /** The number of rounds, if it is not the one that was asked for. */
  readonly rounds?: number;
  /** Whether a sample comes before the first round, which does not count. */
  readonly warmsUp?: boolean;
  /** Whether wrk is needed. */
  readonly wrk?: boolean;
  /** Makes a subject ready; what it starts, it puts on the stack. */
  prepare(subject: Subject, folder: string, stack: AsyncDisposableStack): Promise<Sampler> | Sampler;
}

/** The processor time that a subject spends on what `load` does, for each operation of it. */
async function timed(
  { process: { pid } }: Running,
  load: () => Promise<{ operations: number; rate: number }>,
): Promise<Sample> {
  const before = cpuTime(pid);
  const { operations, rate } = await load();
  return { figure: rate, cpu: (cpuTime(pid) - before) / operations };
}

async function wrk(url: string, seconds: number): Promise<{ operations: number; rate: number }> {
  const { stdout: report } = await output("wrk", ["-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, url]);
  const operations = Number(/(\d+) requests in/.exec(report)?.[1]);
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(report)?.[1]);
  if (operations === 0 && seconds < 16) return await wrk(url, 2 * seconds);
  if (operations === 0) throw new Error(`No answer came in ${seconds} s: leave the machine to the bench`);
  if (!(rate > 0) || /Non-2xx|Socket errors/.test(report)) throw new Error(`The load met errors:\n${report}`);
  return { operations, rate };
}

/** Requests by wrk. */
function requests(
  name: string,
  target: Target,
  { uri = "/", secure = false } = {},
): Case {
  return {
    name,
    subjects: HTTP,
    unit: "requests/s",
    target,
    wrk: true,
    warmsUp: true,
    async prepare(subject, folder, stack) {
      const running = await start(subject, name, folder);
      stack.use(running.process);
      const url = `${secure ? "https" : "http"}://127.0.0.1:${running.port}${uri}`;
      return (seconds) => timed(running, () => wrk(url, seconds));
    },
  };
}

/** Starts a load: a program that prints "ready", and then answers each line, a number, with a number. */
async function startLoad(file: string, ...args: (string | number)[]): Promise<Program> {
  const load = deno("run", ["--allow-ffi", `bench/${file}`, ...args.map(String)]);
  await load.next();
  return load;
}

/** The load of a program that is already connected. */
function loaded(running: Running, load: Program): Sampler {
  return (seconds) =>
    timed(running, async () => {
      const start = performance.now();
      const operations = Number(await load.ask(String(seconds)));
      return { operations, rate: operations / (performance.now() - start) * 1000 };
    });
}

/** Large bodies by `transfer_load.ts`. */
function transfers(
  name: string,
  target: Target,
  { connections, upload = 0, rounds }: { connections: number; upload?: number; rounds?: number },
): Case {
  return {
    name,
    subjects: HTTP,
    unit: "requests/s",
    target,
    ...(rounds && { rounds }),
    warmsUp: true,
    async prepare(subject, folder, stack) {
      const running = await start(subject, name, folder);
      stack.use(running.process);
      return loaded(running, stack.use(await startLoad("transfer_load.ts", running.port, connections, upload)));
    },
  };
}

/** Messages by `websocket_load.ts`. */
function messages(
  name: string,
  { mode, connections, size, depth, cpuAtLeast = 0.95 }: {
    mode: string;
    connections: number;
    size: number;
    depth: number;
    cpuAtLeast?: number;
  },
): Case {
  return {
    name,
    subjects: WEBSOCKET,
    unit: "messages/s",
    target: { cpuAtLeast },
    warmsUp: true,
    async prepare(subject, folder, stack) {
      const running = await start(subject, mode, folder);
      stack.use(running.process);
      const args = [mode, running.port, connections, size, depth];
      return loaded(running, stack.use(await startLoad("websocket_load.ts", ...args)));
    },
  };
}

const echo = (name: string, size: number, depth: number, cpuAtLeast?: number) =>
  messages(name, { mode: "echo", connections: CONNECTIONS, size, depth, ...(cpuAtLeast && { cpuAtLeast }) });

/** Files that a runtime opens for its own use, at the first connection. */
const OWN_FILES = 16;

/** Resident memory after a part's connections are closed and the garbage is collected. */
async function settledMemory({ process }: Running, files: number): Promise<number> {
  for (let tries = 0; openFiles(process.pid) > files + OWN_FILES; tries++) {
    if (tries === 100) throw new Error(`${openFiles(process.pid) - files} files stay open`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  for (let count = 0; count < 3; count++) await process.ask("collect");
  return residentMemory(process.pid);
}

const idle: Case = {
  name: "idle",
  subjects: WEBSOCKET,
  unit: "bytes a connection",
  target: { ratioAtMost: 1.15 },
  rounds: 2,
  prepare: (subject, folder) => async () => {
    const running = await start(subject, "echo", folder);
    await using process = running.process;
    const files = openFiles(process.pid);
    const empty = await settledMemory(running, files);
    await using load = await startLoad("websocket_load.ts", "idle", running.port);
    await load.ask(String(IDLE));
    return { figure: (await settledMemory(running, files + IDLE) - empty) / IDLE };
  },
};

const slowReaders: Case = {
  name: "slow readers",
  subjects: HTTP,
  unit: "bytes a client",
  target: { ratioAtMost: 0.5 },
  rounds: 1,
  prepare: (subject, folder) => async () => {
    const running = await start(subject, "slow readers", folder);
    await using process = running.process;
    const empty = await settledMemory(running, openFiles(process.pid));
    await using load = await startLoad("slow_readers.ts", running.port);
    await load.ask(String(SLOW_READERS));
    for (let count = 0; count < 3; count++) await process.ask("collect");
    return { figure: (residentMemory(process.pid) - empty) / SLOW_READERS };
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
    const files = openFiles(process.pid);
    await using load = await startLoad("websocket_load.ts", "churn", running.port, CONNECTIONS);
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
  target: { ratioAtMost: 1.2 },
  warmsUp: true,
  prepare: (subject, folder) => async () => {
    const before = performance.now();
    const { process, port } = await start(subject, "template", folder);
    await using _ = process;
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    await answer.body?.cancel();
    return { figure: performance.now() - before };
  },
};

const MEBIBYTE = 1 << 20;
const UPLOADS: Target = { cpuAtLeast: 1, ofNodeAtLeast: 1 };
const DOWNLOADS: Target = { ratioAtLeast: 2, ofNodeAtLeast: 0.7 };

export const CASES: readonly Case[] = [
  begin,
  requests("template", { cpuAtLeast: 0.95 }),
  requests("json", { cpuAtLeast: 0.95 }, { uri: "/mixer/level?level=0.5&channel=3" }),
  transfers("upload", UPLOADS, { connections: LARGE_CONNECTIONS, upload: MEBIBYTE }),
  transfers("upload 16 MiB", UPLOADS, { connections: LARGEST_CONNECTIONS, upload: 16 * MEBIBYTE, rounds: 3 }),
  transfers("download", DOWNLOADS, { connections: LARGE_CONNECTIONS }),
  transfers("download 16 MiB", DOWNLOADS, { connections: LARGEST_CONNECTIONS, rounds: 3 }),
  transfers("download of a text", { ofNodeAtLeast: 0.7 }, { connections: LARGE_CONNECTIONS, rounds: 3 }),
  transfers("download of a Blob", DOWNLOADS, { connections: LARGE_CONNECTIONS, rounds: 3 }),
  slowReaders,
  requests("file", { cpuAtLeast: 0.97 }),
  requests("https", { cpuAtLeast: 0.95 }, { secure: true }),
  echo("echo 64 B", 64, 1),
  echo("echo 64 B, 16 deep", 64, 16),
  echo("echo 64 KiB", 65_536, 1, 0.97),
  echo("echo 64 KiB, 16 deep", 65_536, 16, 0.97),
  messages("broadcast", { mode: "broadcast", connections: AUDIENCE, size: 64, depth: 4 }),
  idle,
  churn,
];
