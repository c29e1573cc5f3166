/**
 * What a broadcast costs, on one process, on all cores and over a broker: the figures of `docs/scale.md`.
 *
 * One client sends 64 bytes of text, all clients get them. The setups are measured in turn, round after round; a figure is the
 * median over the rounds. The clients run on the same machine, in a separate process, and use about as much of it as the
 * server, so only the CPU time of a delivery carries over to other machines. Linux only; the last setup needs Mosquitto (on
 * Debian: `apt-get install mosquitto`) and is left out without it. `--json` prints for machines, `--rounds N` and
 * `--clients N` (up to 1,000) change the size.
 */

import { parseArgs } from "node:util";
import { deno } from "../tests/support/deno.ts";
import { example } from "../tests/support/example.ts";
import { freePort } from "../tests/support/free_port.ts";
import { output, Program } from "../tests/support/program.ts";
import { cpuTime, residentMemory } from "../tests/support/usage.ts";
import { median } from "./statistics.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "3" },
    clients: { type: "string", default: "1000" },
  },
});
const rounds = Number(values.rounds);
const clients = Number(values.clients);
const SECONDS = 3;
/** Clients that are there before memory is measured: what the first ones cost is not what each one costs. */
const FIRST = 100;

/** The figures of one setup. */
interface Figures {
  /** Messages that arrived at a client, each second, as fast as they go. */
  readonly deliveries: number;
  /** Microseconds of CPU time that the servers took for each of them. */
  readonly cpu: number;
  /** Milliseconds from the sender to a client at ten messages a second, for the half and for 99 of 100. */
  readonly p50: number;
  readonly p99: number;
  /** Bytes of memory that each idle client adds to the servers. */
  readonly bytes: number;
}

/** Servers that run. */
interface Subject extends AsyncDisposable {
  readonly urls: string[];
  readonly pids: number[];
}

/** `examples/parallel.ts`, in one process or in a worker for each core. */
async function broadcaster(flags: string[]): Promise<Subject> {
  const port = freePort();
  const program = deno("serve", [...flags, "--host=127.0.0.1", `--port=${port}`, "examples/parallel.ts"]);
  await program.line(/listens on/);
  return {
    urls: [`ws://127.0.0.1:${port}/`],
    pids: [program.pid],
    [Symbol.asyncDispose]: () => program.stop(),
  };
}

/** `examples/relay_mqtt`, twice, with a broker between the two. */
async function relays(): Promise<Subject> {
  const stack = new AsyncDisposableStack();
  const port = freePort();
  const broker = stack.use(new Program("mosquitto", ["-p", `${port}`]));
  await broker.line(/ running$/);
  const env = { MQTT_URL: `mqtt://127.0.0.1:${port}` };
  const servers = [];
  for (let count = 0; count < 2; count++) {
    const server = stack.use(await example("examples/relay_mqtt/main.ts", { env }));
    await server.program.line(/^Connected/);
    servers.push(server);
  }
  return {
    urls: servers.map(({ url }) => `${url.replace("http", "ws")}room`),
    pids: servers.map(({ program }) => program.pid),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const mosquitto = await output("mosquitto", ["-h"]).then(() => true, () => false);
const cores = navigator.hardwareConcurrency;
const setups: Record<string, () => Promise<Subject>> = {
  "one process": () => broadcaster([]),
  [`${cores} cores`]: () => broadcaster(["--parallel"]),
  ...(mosquitto && { "2 processes, one broker": relays }),
};

/** Bytes of memory and seconds of processor time of all servers. */
function usageOf({ pids }: Subject): { memory: number; cpu: number } {
  const sum = (usage: (pid: number) => number) => pids.map(usage).reduce((one, other) => one + other);
  return { memory: sum(residentMemory), cpu: sum(cpuTime) };
}

async function measure(start: () => Promise<Subject>): Promise<Figures> {
  await using load = new AsyncDisposableStack();
  const subject = await start();
  const program = deno("run", ["--allow-net", "--ignore-env", "bench/scale_clients.ts", ...subject.urls]);
  // The servers end first: see `tests/examples/parallel_test.ts`.
  load.use(program);
  load.use(subject);
  const tell = async (command: string) => {
    await program.write(command);
    return JSON.parse(
      (await program.line(new RegExp(`^{"did":"${command.split(" ")[0]}".*`), program.lines.length))[0],
    );
  };
  await tell(`open ${FIRST}`);
  const first = usageOf(subject);
  await tell(`open ${clients}`);
  const all = usageOf(subject);
  // Once to warm up.
  await tell("load 1");
  const before = usageOf(subject);
  const { deliveries, seconds } = await tell(`load ${SECONDS}`);
  const after = usageOf(subject);
  const { p50, p99 } = await tell(`pace ${SECONDS}`);
  return {
    deliveries: deliveries / seconds,
    cpu: (after.cpu - before.cpu) * 1e6 / deliveries,
    p50,
    p99,
    bytes: (all.memory - first.memory) / (clients - FIRST),
  };
}

function row(name: string, { deliveries, cpu, p50, p99, bytes }: Figures): string[] {
  const rounded = (value: number, step: number) => (Math.round(value / step) * step).toLocaleString("en");
  return [name, rounded(deliveries, 100), cpu.toFixed(1), p50.toFixed(1), p99.toFixed(1), rounded(bytes, 100)];
}

if (Deno.build.os !== "linux") {
  throw new Error("Cannot measure: memory and CPU time are read from /proc, which Linux has");
}
const samples: Record<string, Figures[]> = Object.fromEntries(Object.keys(setups).map((name) => [name, []]));
for (let round = 0; round < rounds; round++) {
  for (const [name, start] of Object.entries(setups)) samples[name]!.push(await measure(start));
}
const rows = Object.entries(samples).map(([name, figures]) => {
  const of = (key: keyof Figures) => median(figures.map((one) => one[key]));
  return [name, {
    deliveries: of("deliveries"),
    cpu: of("cpu"),
    p50: of("p50"),
    p99: of("p99"),
    bytes: of("bytes"),
  }] as const;
});
if (values.json) {
  console.log(JSON.stringify({ clients, rounds, ...Object.fromEntries(rows) }));
} else {
  const head = ["setup", "deliveries a second", "CPU µs a delivery", "p50, ms", "p99, ms", "bytes a connection"];
  const table = [head, head.map(() => "---"), ...rows.map(([name, figures]) => row(name, figures))];
  console.log(table.map((cells) => `| ${cells.join(" | ")} |`).join("\n"));
  if (!mosquitto) {
    console.log("\nWithout the broker: Mosquitto is not installed (on Debian: apt-get install mosquitto)");
  }
}
