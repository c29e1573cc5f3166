/**
 * Compares this server with a bare `Deno.serve` over raw sockets: apart from wanted differences, both must behave the same.
 *
 * Mutated requests of HTTP/1.1 and HTTP/2 go to both, whose handlers answer with what they see: method, path, query, headers and body.
 * The statuses and the ends of the connections are compared too. Then a table of valid and invalid WebSocket frames goes to an echo on
 * both. Wanted differences are listed, each with its reason, in `wanted.ts` and `websockets.ts`: any other difference is
 * printed with the bytes that were sent, and the exit code is 1.
 *
 * - `--seed N`: of the mutations; without it, each run has another one, which is printed
 * - `--count N`: requests of each kind
 * - `--kind HTTP/1.1`, `--kind HTTP/2`, `--kind WebSocket`: that kind alone
 * - `--case N`: that case of the seed alone, as it is printed
 * - `--reasons`: how many cases had each of the wanted differences
 */

import { parseArgs } from "node:util";
import type { Report } from "./comparing.ts";
import { compareRequests, type Kind } from "./requests.ts";
import { compareWebSockets } from "./websockets.ts";

/** Milliseconds for each kind. */
const MOST = 80_000;
const KINDS = ["HTTP/1.1", "HTTP/2", "WebSocket"];
/** Differences that are printed: many are of one kind. */
const MOST_SHOWN = 20;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    count: { type: "string", default: "10000" },
    kind: { type: "string" },
    case: { type: "string" },
    reasons: { type: "boolean", default: false },
  },
});
const seed = Number(values.seed);
const count = values.case === undefined ? Number(values.count) : 1;
const first = Number(values.case ?? 0);
if (![seed, count, first].every((number) => Number.isSafeInteger(number) && number >= 0)) {
  console.error("Cannot compare: --seed, --count and --case take an integer from 0");
  Deno.exit(1);
}
if (values.kind !== undefined && !KINDS.includes(values.kind)) {
  console.error(`Cannot compare: --kind takes one of ${KINDS.join(", ")}, not "${values.kind}"`);
  Deno.exit(1);
}

console.log(`Seed ${seed}`);
const start = performance.now();
const reports: [kind: string, report: Report][] = [];
for (const kind of values.kind === undefined ? KINDS : [values.kind]) {
  const report = kind === "WebSocket"
    ? await compareWebSockets(MOST)
    : await compareRequests({ kind: kind as Kind, seed, first, count, milliseconds: MOST });
  for (const difference of report.unexpected.slice(0, MOST_SHOWN)) console.log(`\n${difference}`);
  reports.push([kind, report]);
}

if (values.reasons) {
  for (const [kind, { wanted }] of reports) {
    for (const [why, cases] of [...wanted].sort(([, one], [, other]) => other - one)) {
      console.log(`${String(cases).padStart(6)} ${kind}: ${why}`);
    }
  }
}
const cases = reports.map(([kind, { cases }]) => `${cases} of ${kind}`).join(", ");
const sum = (number: (report: Report) => number) => reports.reduce((total, [, report]) => total + number(report), 0);
const unexpected = sum((report) => report.unexpected.length);
console.log(
  `${cases}: ${unexpected} unexpected differences, ${sum(({ settled }) => settled)} settled by another attempt, ` +
    `in ${Math.round((performance.now() - start) / 1000)} s with seed ${seed}`,
);
Deno.exit(unexpected === 0 ? 0 : 1);
