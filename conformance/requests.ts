/** Comparing the answers of two servers to mutated requests. */

import { printed } from "../tests/helpers.ts";
import { escaped } from "./bytes.ts";
import { type Case, compareCases, type Comparison, type Report } from "./comparing.ts";
import { type Answer, http1Exchange, http2Exchange, type Outcome, type Patience } from "./exchange.ts";
import { http1Case } from "./http1.ts";
import { http2Case } from "./http2.ts";
import { Random } from "./random.ts";
import { bareServer, ourServer, type Seen, type Subject } from "./subjects.ts";
import { EARLY, hasUnreadBody, HEADER_DIFFERENCES, isEarly, REFUSALS, UNREAD } from "./wanted.ts";

/** What is compared. */
export type Kind = "HTTP/1.1" | "HTTP/2";

/** A run. */
export interface RequestsOptions {
  readonly kind: Kind;
  readonly seed: number;
  /** The first case, and how many there are. */
  readonly first?: number;
  readonly count: number;
  /** After which no further case is begun. */
  readonly milliseconds: number;
}

/** Characters of an answer that are printed. */
const MOST_SHOWN = 2000;
const FIRST: Patience = { deadline: 2000, quiet: 100 };
/** A busy machine may have been the reason of a difference. */
const AGAIN: Patience = { deadline: 4000, quiet: 1000 };

/** The bytes of a case, ready to be sent. */
interface Exchange {
  readonly text: string;
  send(subject: Subject, patience: Patience): Promise<Outcome>;
}

function exchangeOf(kind: Kind, random: Random): Exchange {
  if (kind === "HTTP/1.1") {
    const text = http1Case(random);
    return { text, send: (subject, patience) => http1Exchange(subject, text, patience) };
  }
  const http2 = http2Case(random);
  return { text: http2.text, send: (subject, patience) => http2Exchange(subject, http2, patience) };
}

function headersThatDiffer(bare: Seen, ours: Seen): string[] {
  const [one, other] = [new Map(bare.headers), new Map(ours.headers)];
  return [...new Set([...one.keys(), ...other.keys()])].filter((name) => one.get(name) !== other.get(name));
}

/** Compares what two handlers saw. */
function compareSeen(bare: Seen, ours: Seen, { unexpected, reasons }: Comparison): void {
  for (const name of ["method", "uri", "pars", "body"] as const) {
    if (JSON.stringify(bare[name]) !== JSON.stringify(ours[name])) unexpected.push(name);
  }
  for (const name of headersThatDiffer(bare, ours)) {
    const difference = HEADER_DIFFERENCES.find(({ applies }) => applies(name, bare, ours));
    if (difference) reasons.add(difference.why);
    else unexpected.push(`header "${name}"`);
  }
}

function compareAnswers(bare: Answer | undefined, ours: Answer | undefined, comparison: Comparison): void {
  const { unexpected, reasons } = comparison;
  if (bare === undefined && ours && isEarly(ours)) {
    reasons.add(EARLY);
  } else if (bare === undefined || ours === undefined) {
    unexpected.push("an answer that only one of them gave");
  } else if (bare.seen === undefined) {
    // From Deno. What stands in such an answer is for a person, but what became of a stream counts.
    const same = bare.status === ours.status && ours.seen === undefined &&
      (bare.status !== 0 || bare.text === ours.text);
    if (!same) unexpected.push("the answer");
  } else {
    const { seen } = bare;
    if (seen.method === "HEAD" && ours.text !== "") unexpected.push("an answer to HEAD that has a body");
    const refusal = REFUSALS.find(({ applies }) => applies(seen));
    if (refusal) reasons.add(refusal.why);
    const expected = refusal?.status ?? bare.status;
    if (ours.status !== expected) unexpected.push(`status ${ours.status} instead of ${expected}`);
    else if (refusal === undefined && ours.seen) compareSeen(seen, ours.seen, comparison);
    else if (refusal === undefined && seen.method !== "HEAD") unexpected.push("the answer");
  }
}

function compare(bare: Outcome, ours: Outcome): Comparison {
  const comparison: Comparison = { unexpected: [], reasons: new Set() };
  const find = ({ answers }: Outcome, id: number) => answers.find((answer) => answer.id === id);
  for (const id of new Set([...bare.answers, ...ours.answers].map(({ id }) => id))) {
    const pair = [find(bare, id), find(ours, id)] as const;
    // Over HTTP/1.1, the one before has the number below.
    const before = find(bare, id - 1)?.seen;
    if (pair.includes(undefined) && before && hasUnreadBody(before)) {
      comparison.reasons.add(UNREAD);
      break;
    }
    compareAnswers(...pair, comparison);
  }
  if (bare.end !== ours.end) comparison.unexpected.push("the end of the connection");
  return comparison;
}

function shownOutcome({ answers, end }: Outcome): string {
  const lines = answers.map(({ id, status, seen, text }) => {
    const line = escaped(seen ? JSON.stringify(seen) : text);
    return `    ${id}: ${status} ${line.length > MOST_SHOWN ? `${line.slice(0, MOST_SHOWN)}...` : line}`;
  });
  return [...lines, `    ${end}`].join("\n");
}

/** The servers that answer. */
interface Subjects {
  readonly bare: Subject;
  /** With bodies in memory. */
  readonly buffering: Subject;
  /** With bodies as streams. */
  readonly streaming: Subject;
}

function* casesOf(options: RequestsOptions, { bare, buffering, streaming }: Subjects): Generator<Case> {
  const { kind, seed, first = 0, count } = options;
  for (let index = first; index < first + count; index++) {
    const random = new Random(seed, index);
    const { text, send } = exchangeOf(kind, random);
    const ours = random.chance(70) ? buffering : streaming;
    yield async (attempt) => {
      const patience = attempt === 0 ? FIRST : AGAIN;
      const outcomes = await Promise.all([send(bare, patience), send(ours, patience)]);
      const comparison = compare(...outcomes);
      const shown = () =>
        `${kind}, seed ${seed}, case ${index}: ${comparison.unexpected.join(", ")}\n  sent ${escaped(text)}\n` +
        `  Deno.serve:\n${shownOutcome(outcomes[0])}\n` +
        `  this server${ours === streaming ? ', body: "stream"' : ""}:\n${shownOutcome(outcomes[1])}`;
      return { ...comparison, shown };
    };
  }
}

/** Sends mutated requests to a bare `Deno.serve` and to this project's server, and compares what comes back. */
export async function compareRequests(options: RequestsOptions): Promise<Report> {
  await using bare = bareServer();
  await using buffering = await ourServer("buffer");
  await using streaming = await ourServer("stream");
  let report: Report;
  // Warnings about pages of other origins.
  await printed("warn", async () => {
    report = await compareCases(casesOf(options, { bare, buffering, streaming }), options.milliseconds);
  });
  for (const error of [...buffering.errors, ...streaming.errors]) {
    report!.unexpected.push(`${options.kind}, seed ${options.seed}: a callback failed: ${Deno.inspect(error)}`);
  }
  return report!;
}
