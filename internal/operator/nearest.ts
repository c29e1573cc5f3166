/** Finds the name that was probably meant. */

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

/** The nearest name, if it differs by at most two letters. Letter case, hyphens and underscores do not count. */
export function nearest<Name extends string>(name: string, names: readonly Name[]): Name | undefined {
  const plain = (text: string) => text.replace(/[-_]/g, "").toLowerCase();
  const distances = names.map((candidate) => ({ candidate, far: distance(plain(name), plain(candidate)) }));
  const best = distances.reduce((one, other) => other.far < one.far ? other : one);
  return best.far <= 2 ? best.candidate : undefined;
}
