/** What the README and the examples show, run as they stand but for the port. */

import { assertEquals, assertMatch } from "@std/assert";

const root = new URL("../", import.meta.url);

Deno.test("the first callbacks of the README are examples/hello.ts, and greet in a colour that changes", async () => {
  const readme = await Deno.readTextFile(new URL("README.md", root));
  const shown = /```ts ignore\n([^]*?)```/.exec(readme)![1]!;
  const example = await Deno.readTextFile(new URL("examples/hello.ts", root));
  assertEquals(example.slice(example.indexOf("import ")), shown);

  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${directory}/hello.ts`, shown.replace("new WebServer({", "new WebServer({ port: 0,"));
    const process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--check", "--config", `${import.meta.dirname}/../deno.json`, "--allow-net", "hello.ts"],
      cwd: directory,
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const reader = process.stdout.getReader();
    const line = new TextDecoder().decode((await reader.read()).value);
    const url = /http:\S+/.exec(line)![0];
    const pages = [await (await fetch(url)).text(), await (await fetch(url)).text()];
    assertMatch(pages[0]!, /^<h1 style="color: hsl\(0 80% 45%\)">webserver1 greets (127\.0\.0\.1|\[::1\]):\d+<\/h1>$/);
    assertMatch(pages[1]!, /hsl\(40 /);
    process.kill("SIGKILL");
    await reader.cancel();
    await process.status;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
