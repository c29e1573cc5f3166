/**
 * What a broadcast costs, on one process, on all cores and over a broker: the figures of `docs/scale.md`.
 *
 * One client sends 64 bytes of text, all clients get them. The setups are measured in turn, round after round; a figure is the
 * median over the rounds. The clients run on the same machine, in a process of their own, and take about as much of it as the
 * server: the CPU time a delivery is what carries over to other machines. Linux only; the last setup needs Mosquitto (on
 * Debian: `apt-get install mosquitto`) and is left out without it. `--json` prints for machines, `--rounds N` and
 * `--clients N` (up to 1,000) change the size.
 */

import { parseArgs } from "node:util";
import { deno, freePort, Program, served } from "../tests/examples/program.ts";

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
  const servers = [await served("examples/relay_mqtt/main.ts", env), await served("examples/relay_mqtt/main.ts", env)];
  for (const server of servers) await stack.use(server).program.line(/^Connected/);
  return {
    urls: servers.map(({ url }) => `${url.replace("http", "ws")}room`),
    pids: servers.map(({ program }) => program.pid),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const mosquitto = await new Deno.Command("mosquitto", { args: ["-h"] }).output().then(() => true, () => false);
const cores = navigator.hardwareConcurrency;
const setups: Record<string, () => Promise<Subject>> = {
  "one process": () => broadcaster([]),
  [`${cores} cores`]: () => broadcaster(["--parallel"]),
  ...(mosquitto && { "2 processes, one broker": relays }),
};

/** Bytes of memory and seconds of CPU time of a process (proc(5)). */
async function usage(pid: number): Promise<{ memory: number; cpu: number }> {
  const [status, stat] = await Promise.all(["status", "stat"].map((name) => Deno.readTextFile(`/proc/${pid}/${name}`)));
  const fields = stat!.slice(stat!.lastIndexOf(")") + 2).split(" ");
  // In ticks of 10 ms.
  return {
    memory: Number(/VmRSS:\s+(\d+)/.exec(status!)![1]) * 1_024,
    cpu: (Number(fields[11]) + Number(fields[12])) / 100,
  };
}

async function usageOf({ pids }: Subject): Promise<{ memory: number; cpu: number }> {
  const all = await Promise.all(pids.map(usage));
  return all.reduce((sum, one) => ({ memory: sum.memory + one.memory, cpu: sum.cpu + one.cpu }));
}

async function measure(start: () => Promise<Subject>): Promise<Figures> {
  await using load = new AsyncDisposableStack();
  const subject = await start();
  const args = ["--allow-net", "--ignore-env", "bench/scale_clients.ts", ...subject.urls];
  const program = deno("run", args);
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
  const first = await usageOf(subject);
  await tell(`open ${clients}`);
  const all = await usageOf(subject);
  // Once to warm up.
  await tell("load 1");
  const before = await usageOf(subject);
  const { deliveries, seconds } = await tell(`load ${SECONDS}`);
  const after = await usageOf(subject);
  const { p50, p99 } = await tell(`pace ${SECONDS}`);
  return {
    deliveries: deliveries / seconds,
    cpu: (after.cpu - before.cpu) * 1e6 / deliveries,
    p50,
    p99,
    bytes: (all.memory - first.memory) / (clients - FIRST),
  };
}

function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;
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
