/** The packages that the first start of the server downloads. */

import { cp } from "node:fs/promises";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { ROOT } from "./support/deno.ts";
import { output } from "./support/program.ts";

/** The one package that the server needs: see `links/`. */
const PACKAGE = "deno-std";

/** The folder of an npm package in the cache of this machine, and its name there. */
async function cached(name: string): Promise<{ source: string; path: string }> {
  const { stdout } = await output(Deno.execPath(), ["info", "--json"], { cwd: "/" });
  const { npmCache } = JSON.parse(stdout);
  for await (const { name: registry } of Deno.readDir(npmCache)) {
    const path = `${registry}/${name}`;
    if (await Deno.stat(`${npmCache}/${path}`).catch(() => undefined)) return { source: `${npmCache}/${path}`, path };
  }
  throw new Error(`The package ${name} is not in the cache, though this test runs with it`);
}

Deno.test("the lock file of the server has that package, and the one of --qr, which is downloaded on demand", async () => {
  const { npm } = JSON.parse(await Deno.readTextFile(new URL("deno.lock", ROOT)));
  assertEquals(Object.keys(npm).map((name) => name.replace(/@[^@]+$/, "")), [PACKAGE, "uqr"]);
});

Deno.test("the server starts from a cache with nothing but that package", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { source, path } = await cached(PACKAGE);
    await cp(source, `${folder}/npm/${path}`, { recursive: true });
    // Without the flags of the other tests: this one is about the lock file that a user's first start reads.
    const { code, stdout, stderr } = await output(
      Deno.execPath(),
      ["run", "--cached-only", "--frozen", "--allow-net", "mod.ts", "--version"],
      { cwd: ROOT, env: { DENO_DIR: folder } },
    );
    assertEquals([code, stderr], [0, ""]);
    assertStringIncludes(stdout, ".");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
