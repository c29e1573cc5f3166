/** Finds the name that was probably meant. */

/** Letters of a name that is short, and of one that may stand for a longer one. */
const SHORT = 5;
const SHORTEST = 3;

/** How many letters must be changed, added or removed to turn one text into the other: the Levenshtein distance, row by row. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [index, letter] of [...from].entries()) {
    const next = [index + 1];
    for (let column = 1; column <= to.length; column++) {
      const replaced = row[column - 1]! + (letter === to[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[column]! + 1, next[column - 1]! + 1));
    }
    row = next;
  }
  return row.at(-1)!;
}

function sorted(text: string): string {
  return [...text].sort().join("");
}

/**
 * The nearest name: one that the text begins or that begins the text, or one that differs by two letters at most, and by one if it is short.
 * Letter case, hyphens and underscores do not count.
 */
export function nearest<Name extends string>(name: string, names: readonly Name[]): Name | undefined {
  const plain = (text: string) => text.replace(/[-_]/g, "").toLowerCase();
  const text = plain(name);
  const distances = names.map((candidate) => ({ candidate, far: distance(text, plain(candidate)) }));
  const best = distances.reduce((one, other) => other.far < one.far ? other : one);
  const isSwapped = sorted(text) === sorted(plain(best.candidate));
  if (best.far <= (text.length < SHORT && !isSwapped ? 1 : 2)) return best.candidate;
  if (text.length < SHORTEST) return undefined;
  return names.find((candidate) => plain(candidate).startsWith(text) || text.startsWith(plain(candidate)));
}
