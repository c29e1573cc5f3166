/** The results of the measurements: a row for each case, and the table of them. */

import type { Case, Sample, Target } from "./cases.ts";
import { median } from "./statistics.ts";
import { type Subject, SUBJECTS } from "./subjects.ts";

/** Medians over the rounds. */
export interface Result {
  readonly figure: number;
  /** The figure, as a ratio to that of bare in the same round. */
  readonly ratio: number;
  /** Seconds of processor time for an operation; absent if there are no operations. */
  readonly cpu?: number;
  /** The operations for the same processor time, as a ratio to those of bare in the same round. */
  readonly cpuRatio?: number;
}

export interface Row {
  readonly case: string;
  readonly unit: string;
  readonly target: Target;
  /** Whether this server reaches the target. */
  readonly reached: boolean;
  readonly results: Partial<Record<Subject, Result>>;
}

/** The row of a case: a list of samples for each subject, one a round. */
export function row({ name, unit, target }: Case, samples: ReadonlyMap<Subject, Sample[]>): Row {
  const bare = samples.get("bare")!;
  const results: Row["results"] = {};
  for (const [subject, own] of samples) {
    const over = (figure: (sample: Sample, bare: Sample) => number) =>
      median(own.map((sample, round) => figure(sample, bare[round]!)));
    results[subject] = {
      figure: over(({ figure }) => figure),
      ratio: over(({ figure }, { figure: ofBare }) => figure / ofBare),
      ...(own[0]!.cpu !== undefined && {
        cpu: over(({ cpu }) => cpu!),
        cpuRatio: over(({ cpu }, { cpu: ofBare }) => ofBare! / cpu!),
      }),
    };
  }
  const node = samples.get("node:http") ?? samples.get("ws");
  const ofNode = node && median(samples.get("webserver")!.map(({ figure }, round) => figure / node[round]!.figure));
  return { case: name, unit, target, reached: isReached(target, results.webserver!, ofNode), results };
}

function isReached(target: Target, { figure, ratio, cpuRatio }: Result, ofNode: number | undefined): boolean {
  const { cpuAtLeast, ratioAtLeast, ratioAtMost, ofNodeAtLeast, figureAtMost } = target;
  return (cpuAtLeast === undefined || cpuRatio! >= cpuAtLeast) &&
    (ratioAtLeast === undefined || ratio >= ratioAtLeast) &&
    (ratioAtMost === undefined || ratio <= ratioAtMost) &&
    (ofNodeAtLeast === undefined || ofNode === undefined || ofNode >= ofNodeAtLeast) &&
    (figureAtMost === undefined || figure <= figureAtMost);
}

const integer = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const threeDigits = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

/** The measure of the others: its figure, and the processor time for one operation. */
function bareCell({ figure, cpu }: Result, unit: string): string {
  const time = cpu === undefined ? "" : ` (${threeDigits.format(cpu * 1e6)} µs)`;
  return `${integer.format(figure)} ${unit}${time}`;
}

/** Another one: its ratio, and in brackets the one by processor time; or its figure, if that is the target. */
function cell(result: Result | undefined, target: Target): string {
  if (result === undefined) return "";
  if (target.figureAtMost !== undefined) return integer.format(result.figure);
  return result.ratio.toFixed(2) + (result.cpuRatio === undefined ? "" : ` (${result.cpuRatio.toFixed(2)})`);
}

function aim({ cpuAtLeast, ratioAtLeast, ratioAtMost, ofNodeAtLeast, figureAtMost }: Target): string {
  return [
    cpuAtLeast !== undefined && `(≥ ${cpuAtLeast})`,
    ratioAtLeast !== undefined && `≥ ${ratioAtLeast}`,
    ratioAtMost !== undefined && `≤ ${ratioAtMost}`,
    ofNodeAtLeast !== undefined && `≥ ${ofNodeAtLeast} of Node`,
    figureAtMost !== undefined && `≤ ${figureAtMost}`,
  ].filter(Boolean).join(", ");
}

/** The rows as a table of Markdown, with a column for each subject that was measured. */
export function table(rows: readonly Row[]): string {
  const others = SUBJECTS.slice(1).filter((subject) => rows.some(({ results }) => results[subject]));
  const lines = [
    ["case", "bare", "target", ...others],
    ["---", "---", "---", ...others.map(() => "---")],
    ...rows.map(({ case: name, unit, target, reached, results }) => [
      name,
      bareCell(results.bare!, unit),
      aim(target) + (reached ? "" : ": missed"),
      ...others.map((subject) => cell(results[subject], target)),
    ]),
  ];
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((cells) => cells[column]!.length)));
  return lines.map((cells) =>
    `| ${
      cells.map((text, column) => text === "---" ? "-".repeat(widths[column]!) : text.padEnd(widths[column]!)).join(
        " | ",
      )
    } |`
  ).join("\n");
}
