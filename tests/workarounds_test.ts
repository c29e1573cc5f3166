/** Workarounds for Deno: each is named in the source and explained in docs/deno.md. */

import { assertEquals } from "@std/assert";

const root = new URL("../", import.meta.url);

/** The source of the package, by path. */
async function sources(folder = new URL("internal/", root)): Promise<Map<string, string>> {
  const all = new Map<string, string>();
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const url = new URL(isDirectory ? `${name}/` : name, folder);
    if (isDirectory) { for (const [path, text] of await sources(url)) all.set(path, text); }
    else if (name.endsWith(".ts")) all.set(url.pathname.slice(root.pathname.length), await Deno.readTextFile(url));
  }
  return all;
}

Deno.test("every id of a workaround in the source has a row in docs/deno.md, and every row an id in the source", async () => {
  const documented = (await Deno.readTextFile(new URL("docs/deno.md", root))).matchAll(/^\| ([A-Z]\d) +\|/gm);
  const named = [...(await sources()).values()].join("\n").matchAll(/\b[PLDWHSCM]\d\b(?!\()/g);
  const sorted = (ids: Iterable<string>) => [...new Set(ids)].sort();
  assertEquals(sorted([...named].map(([id]) => id)), sorted([...documented].map(([, id]) => id!)));
});
