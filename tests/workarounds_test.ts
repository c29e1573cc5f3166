/** Workarounds for Deno: each is named in the source, and explained in docs/deno.md. */

import { assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url);

/** The text of every module in a folder. */
function textOf(folder: URL): string {
  return [...Deno.readDirSync(folder)].map(({ name, isDirectory }) => {
    if (isDirectory) return textOf(new URL(`${name}/`, folder));
    return name.endsWith(".ts") ? Deno.readTextFileSync(new URL(name, folder)) : "";
  }).join("\n");
}

function sorted(matches: Iterable<RegExpExecArray>): string[] {
  return [...new Set(Array.from(matches, ([, id]) => id!))].sort();
}

Deno.test("every workaround that the source names has a row in docs/deno.md, and every row is named in the source", () => {
  const rows = Deno.readTextFileSync(new URL("docs/deno.md", ROOT)).matchAll(/^\| ([A-Z]\d+) +\|/gm);
  const names = textOf(new URL("internal/", ROOT)).matchAll(/\b([CDHLMPSW]\d{1,2})\b(?!\()/g);
  assertEquals(sorted(names), sorted(rows));
});
