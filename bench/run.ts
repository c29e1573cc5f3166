/**
 * How fast the server is, as a ratio to a bare `Deno.serve` with a handler that sends the same bytes, and beside Hono.
 *
 * The subjects run in processes of their own and are measured in turn, round after round, so that noise of the machine
 * meets all of them alike; a figure is the median over the rounds, a ratio the median of the ratios within a round.
 * Needs wrk (on Debian: `apt-get install wrk`). `--json` prints for machines, `--rounds N` and `--seconds N` change the length.
 */

import { parseArgs } from "node:util";

const SUBJECTS = ["bare", "webserver", "hono"] as const;
type Subject = (typeof SUBJECTS)[number];

/** What is measured, where to ask for it, and the ratio to bare that the server must reach. */
const CASES = [
  { name: "template", uri: "/", target: 0.95 },
  { name: "json", uri: "/mixer/level?level=0.5&channel=3", target: 0.85 },
];

const CONNECTIONS = 32;

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "15" },
    seconds: { type: "string", default: "1" },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);

interface Running {
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts a subject in a process of its own, which ends when its input is closed. */
async function start(subject: Subject, name: string): Promise<Running> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-net", new URL("subject.ts", import.meta.url).pathname, subject, name],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = process.stdout.getReader();
  const { value } = await reader.read();
  const port = Number(new TextDecoder().decode(value));
  return {
    port,
    async stop() {
      await process.stdin.close();
      await reader.cancel();
      await process.status;
    },
  };
}

/** Requests a second, by wrk. */
async function load(port: number, uri: string, duration: number): Promise<number> {
  const { stdout } = await new Deno.Command("wrk", {
    args: ["-t1", `-c${CONNECTIONS}`, `-d${duration}s`, `http://127.0.0.1:${port}${uri}`],
  }).output();
  const report = new TextDecoder().decode(stdout);
  if (/Non-2xx|Socket errors/.test(report)) throw new Error(`The load met errors:\n${report}`);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(report)?.[1]);
}

function median(numbers: number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

interface Row {
  readonly case: string;
  readonly target: number;
  /** Requests a second. */
  readonly rate: Record<Subject, number>;
  /** To bare. */
  readonly ratio: Record<Subject, number>;
}

async function measure({ name, uri, target }: (typeof CASES)[number]): Promise<Row> {
  const running = await Promise.all(SUBJECTS.map((subject) => start(subject, name)));
  const samples: number[][] = [];
  for (const { port } of running) await load(port, uri, 1);
  for (let round = 0; round < rounds; round++) {
    const sample = [];
    for (const { port } of running) sample.push(await load(port, uri, seconds));
    samples.push(sample);
  }
  await Promise.all(running.map((subject) => subject.stop()));
  const each = (figure: (sample: number[], index: number) => number) =>
    Object.fromEntries(
      SUBJECTS.map((subject, index) => [subject, median(samples.map((sample) => figure(sample, index)))]),
    ) as Record<Subject, number>;
  return {
    case: name,
    target,
    rate: each((sample, index) => Math.round(sample[index]!)),
    ratio: each((sample, index) => Number((sample[index]! / sample[0]!).toFixed(3))),
  };
}

function table(rows: Row[]): string {
  const head = ["case", "bare, requests/s", "webserver", "target", "hono"];
  const body = rows.map(({ case: name, rate, ratio, target }) => [
    name,
    String(rate.bare),
    ratio.webserver.toFixed(2),
    target.toFixed(2),
    ratio.hono.toFixed(2),
  ]);
  return [head, head.map(() => "---"), ...body].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

try {
  const rows: Row[] = [];
  for (const one of CASES) rows.push(await measure(one));
  console.log(values.json ? JSON.stringify(rows) : table(rows));
} catch (error) {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
  console.error("Cannot measure: wrk is not installed (on Debian: apt-get install wrk)");
  Deno.exitCode = 1;
}
