/**
 * How fast the server is: ratios to a bare `Deno.serve` that does the same, beside Hono and crossws on Deno and, where Node is
 * there, beside `node:http` and `ws`.
 *
 * The subjects of a case run in processes of their own and are measured in turn, round after round, so that the noise of the
 * machine meets all of them alike; a ratio is the median of the ratios within a round. In brackets is the ratio of the processor
 * time that the same work takes, which is steadier on a machine with other work: like the other one, it is better the
 * higher it is. Needs Linux, and wrk for the cases of HTTP.
 *
 * - `--only CASE`: that case alone; may be repeated
 * - `--rounds N`, `--seconds N`: how many rounds, and how long one lasts for each subject
 * - `--json`: for machines
 */

import { cpus, release } from "node:os";
import { parseArgs } from "node:util";
import { type Case, CASES, type Sample, type Sampler } from "./cases.ts";
import { hasNode, makeFolder, type Subject } from "./subjects.ts";
import { type Row, row, table } from "./table.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
    rounds: { type: "string", default: "7" },
    seconds: { type: "string", default: "1" },
  },
});
const rounds = Number(values.rounds);
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
    await new Deno.Command("wrk", { args: ["--version"], stdout: "null", stderr: "null" }).output();
    return undefined;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return "wrk is not installed (on Debian: apt-get install wrk)";
  }
}

async function measure(one: Case, subjects: readonly Subject[], folder: string): Promise<Row> {
  await using stack = new AsyncDisposableStack();
  const samplers = new Map<Subject, Sampler>();
  for (const subject of subjects) samplers.set(subject, await one.prepare(subject, folder, stack));
  const samples = new Map<Subject, Sample[]>(subjects.map((subject) => [subject, []]));
  const count = one.rounds ?? rounds;
  // Once to warm up, unless each round starts anew.
  if (one.rounds === undefined) { for (const sample of samplers.values()) await sample(1); }
  for (let round = 0; round < count; round++) {
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

const withNode = await hasNode();
const folder = await makeFolder();
const rows: Row[] = [];
try {
  for (const one of chosen) {
    const subjects = one.subjects.filter((subject) => withNode || (subject !== "node:http" && subject !== "ws"));
    if (Deno.stderr.isTerminal()) console.error(`${one.name}: ${subjects.join(", ")}`);
    rows.push(await measure(one, subjects, folder));
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
const [cpu] = cpus();
const conditions = {
  date: new Date().toISOString().slice(0, 10),
  deno: Deno.version.deno,
  system: `${Deno.build.os} ${release()}`,
  machine: `${cpus().length} x ${cpu?.model}`,
  rounds,
  seconds,
};
if (values.json) {
  console.log(JSON.stringify({ conditions, rows }));
} else {
  console.log(table(rows));
  console.log(
    `\nMedians of ${rounds} rounds of ${seconds} s on ${conditions.date}: Deno ${conditions.deno}, ` +
      `${conditions.system}, ${conditions.machine}`,
  );
}
