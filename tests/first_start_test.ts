/** What the first start of the server downloads. */

import { cp } from "node:fs/promises";
import { assertEquals, assertStringIncludes } from "@std/assert";

const ROOT = new URL("../", import.meta.url);
/** The one package that the server needs: see `links/`. */
const PACKAGE = "deno-std";

/** The folder of an npm package in the cache of this machine, and its name there. */
async function cached(name: string): Promise<{ source: string; path: string }> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"], cwd: "/" }).output();
  const { npmCache } = JSON.parse(new TextDecoder().decode(stdout));
  for await (const { name: registry } of Deno.readDir(npmCache)) {
    const path = `${registry}/${name}`;
    if (await Deno.stat(`${npmCache}/${path}`).catch(() => undefined)) return { source: `${npmCache}/${path}`, path };
  }
  throw new Error(`The package ${name} is not in the cache, though this test runs with it`);
}

Deno.test("the lock file of the server has one package", async () => {
  const { npm } = JSON.parse(await Deno.readTextFile(new URL("deno.lock", ROOT)));
  assertEquals(Object.keys(npm).map((name) => name.replace(/@[^@]+$/, "")), [PACKAGE]);
});

Deno.test("the server starts from a cache with nothing but that package", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { source, path } = await cached(PACKAGE);
    await cp(source, `${folder}/npm/${path}`, { recursive: true });
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--cached-only", "--frozen", "--allow-net", "mod.ts", "--version"],
      cwd: ROOT,
      env: { DENO_DIR: folder, NO_COLOR: "1" },
    }).output();
    const decoder = new TextDecoder();
    assertEquals([code, decoder.decode(stderr)], [0, ""]);
    assertStringIncludes(decoder.decode(stdout), ".");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
