/**
 * How fast the server is: ratios to a bare `Deno.serve` that does the same, beside Hono and crossws on Deno and, if they are installed,
 * beside Node (`node:http` and `ws`) and Bun.
 *
 * The subjects of a case run in separate processes and are measured in turn, round after round, so that the noise of the machine meets all
 * of them alike; a ratio is the median of the ratios within a round. It is printed twice: by rate, and in brackets by the processor time
 * that the same work takes, which is steadier on a machine with other work. Both are better the higher they are; memory and the time to
 * start are better the lower they are. Takes less than ten minutes. Needs Linux, and wrk for the cases of HTTP.
 *
 * - `--only CASE`: that case alone; may be repeated
 * - `--rounds N`, `--seconds N`: how many rounds, and how long one lasts for each subject. Without `--rounds`, there are five, or fewer if
 *   the machine is too busy for them
 * - `--json`: for machines
 */

import { cpus, release } from "node:os";
import { parseArgs } from "node:util";
import { output } from "../tests/support/program.ts";
import { type Case, CASES, type Sample, type Sampler } from "./cases.ts";
import { makeFolder, type Subject, takeInventory } from "./subjects.ts";
import { type Row, row, table } from "./table.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
    rounds: { type: "string" },
    seconds: { type: "string", default: "1" },
  },
});
/** Rounds, and milliseconds after which a case begins no further one: together, all cases stay under ten minutes on a busy machine too. */
const ROUNDS = 5;
const SHARE = 500_000 / CASES.length;
/** Milliseconds after which no further case begins. */
const LAST_START = 520_000;

const rounds = Number(values.rounds ?? ROUNDS);
const share = values.rounds === undefined ? SHARE : Infinity;
const seconds = Number(values.seconds);

/** What keeps the bench from running, in one sentence. */
async function obstacle(chosen: readonly Case[]): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "it reads /proc, which only Linux has";
  const unknown = values.only.filter((name) => !CASES.some((each) => each.name === name));
  if (unknown.length > 0) return `--only takes ${CASES.map(({ name }) => `"${name}"`).join(", ")}, not "${unknown}"`;
  if (![rounds, seconds].every((number) => Number.isInteger(number) && number > 0)) {
    return "--rounds and --seconds take an integer from 1";
  }
  if (!chosen.some(({ wrk }) => wrk)) return undefined;
  try {
    await output("wrk", ["--version"]);
    return undefined;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return "wrk is not installed (on Debian: apt-get install wrk)";
  }
}

async function measure(one: Case, subjects: readonly Subject[], folder: string): Promise<Row> {
  const end = performance.now() + share;
  await using stack = new AsyncDisposableStack();
  const samplers = new Map<Subject, Sampler>();
  for (const subject of subjects) samplers.set(subject, await one.prepare(subject, folder, stack));
  const samples = new Map<Subject, Sample[]>(subjects.map((subject) => [subject, []]));
  const count = one.rounds ?? rounds;
  // Once to warm up, unless each round starts new processes.
  if (one.warmsUp) { for (const sample of samplers.values()) await sample(1); }
  for (let round = 0; round < count && (round === 0 || performance.now() < end); round++) {
    for (const [subject, sample] of samplers) samples.get(subject)!.push(await sample(seconds));
  }
  return row(one, samples);
}

const chosen = CASES.filter(({ name }) => values.only.length === 0 || values.only.includes(name));
const reason = await obstacle(chosen);
if (reason !== undefined) {
  console.error(`Cannot measure: ${reason}`);
  Deno.exit(1);
}

const { versions, missing } = await takeInventory();
const folder = await makeFolder();
const rows: Row[] = [];
const failures: string[] = [];
const started = performance.now();
try {
  for (const one of chosen) {
    const subjects = one.subjects.filter((subject) => !missing.has(subject));
    if (Deno.stderr.isTerminal()) console.error(`${one.name}: ${subjects.join(", ")}`);
    if (values.rounds === undefined && performance.now() - started > LAST_START) {
      failures.push(`${one.name}: no time was left, measure it by --only "${one.name}"`);
      continue;
    }
    try {
      rows.push(await measure(one, subjects, folder));
    } catch (error) {
      failures.push(`${one.name}: ${(error as Error).message}`);
    }
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
const [cpu] = cpus();
if (failures.length > 0) Deno.exitCode = 1;
const conditions = {
  date: new Date().toISOString().slice(0, 10),
  versions,
  missing: [...new Set(missing.values())],
  system: `${Deno.build.os} ${release()}`,
  machine: `${cpus().length} x ${cpu?.model}`,
  rounds,
  seconds,
  minutes: Number(((performance.now() - started) / 60_000).toFixed(1)),
};
if (values.json) {
  console.log(JSON.stringify({ conditions, rows, failures }));
} else {
  console.log(table(rows));
  console.log(
    `\nMedians of up to ${rounds} rounds of ${seconds} s on ${conditions.date}, in ${conditions.minutes} minutes: ` +
      `${conditions.system}, ${conditions.machine}`,
  );
  console.log(Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", "));
  for (const reason of [...conditions.missing, ...failures]) console.log(`Not measured: ${reason}`);
}
