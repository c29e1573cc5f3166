/** Values in error messages. */

/** A value as an error message shows it: short, and on one line. */
export function shown(value: unknown): string {
  const text = Deno.inspect(value, { depth: 0, strAbbreviateSize: 80 }).replace(/\s*\n\s*/g, " ");
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}
