/** What comes of the measurements: a row for each case, and the table of them. */

import type { Case, Sample } from "./cases.ts";
import { type Subject, SUBJECTS } from "./subjects.ts";

/** Medians over the rounds. */
export interface Result {
  readonly figure: number;
  /** The figure to that of bare, in the same round. */
  readonly ratio: number;
  /** Operations for the same processor time, to those of bare in the same round; absent where there are no operations. */
  readonly cpuRatio?: number;
}

export interface Row {
  readonly case: string;
  readonly unit: string;
  readonly target: Case["target"];
  /** Whether this server reaches the target. */
  readonly reached: boolean;
  readonly results: Partial<Record<Subject, Result>>;
}

function median(numbers: number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
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
      ...(own[0]!.cpu !== undefined && { cpuRatio: over(({ cpu }, { cpu: ofBare }) => ofBare! / cpu!) }),
    };
  }
  const { ratio, figure } = results.webserver!;
  const reached = "ratioAtLeast" in target
    ? ratio >= target.ratioAtLeast
    : "ratioAtMost" in target
    ? ratio <= target.ratioAtMost
    : figure <= target.figureAtMost;
  return { case: name, unit, target, reached, results };
}

const integer = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** One result: the ratio, by processor time in brackets; or the figure where that is the target. */
function cell(result: Result | undefined, target: Case["target"]): string {
  if (result === undefined) return "";
  if ("figureAtMost" in target) return integer.format(result.figure);
  return result.ratio.toFixed(2) + (result.cpuRatio === undefined ? "" : ` (${result.cpuRatio.toFixed(2)})`);
}

function aim(target: Case["target"]): string {
  const [[kind, value]] = Object.entries(target) as [[string, number]];
  return `${kind === "ratioAtLeast" ? "≥" : "≤"} ${value}`;
}

/** The rows as a table of Markdown. */
export function table(rows: readonly Row[]): string {
  const others = SUBJECTS.slice(1);
  const lines = [
    ["case", "bare", "target", ...others],
    ["---", "---", "---", ...others.map(() => "---")],
    ...rows.map(({ case: name, unit, target, reached, results }) => [
      name,
      `${integer.format(results.bare!.figure)} ${unit}`,
      aim(target) + (reached ? "" : ", missed"),
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
