/** Comparing two servers case by case. */

/** How two outcomes compare. */
export interface Comparison {
  /** What differs and should not. */
  readonly unexpected: string[];
  /** Why other things differ. */
  readonly reasons: Set<string>;
}

/** An attempt at a case. */
export interface Attempt extends Comparison {
  /** The case and both outcomes, for a person. */
  shown(): string;
}

/** Sends a case to both servers. */
export type Case = (attempt: number) => Promise<Attempt>;

/** The result of all cases. */
export interface Report {
  /** Cases compared. */
  cases: number;
  /** Unexpected differences, each as text. */
  readonly unexpected: string[];
  /** How many cases had each wanted difference, by its reason. */
  readonly wanted: Map<string, number>;
  /** Cases whose outcomes differed at first, but agreed when they were sent again: a busy machine is late for some. */
  settled: number;
}

/** Cases at once. */
const PARALLEL = 8;
/** How often a case is sent until its outcomes agree. */
const ATTEMPTS = 3;

/**
 * Compares all cases.
 *
 * @param milliseconds After which no further case is begun
 */
export async function compareCases(cases: Iterable<Case>, milliseconds: number): Promise<Report> {
  const report: Report = { cases: 0, unexpected: [], wanted: new Map(), settled: 0 };
  const end = performance.now() + milliseconds;
  const waiting = Iterator.from(cases);
  const work = async () => {
    while (performance.now() < end) {
      const { done, value: each } = waiting.next();
      if (done) return;
      await compareCase(each, report);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  return report;
}

async function compareCase(each: Case, report: Report): Promise<void> {
  let attempt = await each(0);
  let count = 1;
  for (; attempt.unexpected.length > 0 && count < ATTEMPTS; count++) attempt = await each(count);
  report.cases++;
  if (attempt.unexpected.length > 0) report.unexpected.push(attempt.shown());
  else if (count > 1) report.settled++;
  for (const why of attempt.reasons) report.wanted.set(why, (report.wanted.get(why) ?? 0) + 1);
}
