/** The code in the README and the examples, run unchanged except for the port. */

import { assertEquals, assertMatch } from "@std/assert";
import { deno, ROOT } from "./support/deno.ts";

Deno.test("the first callbacks of the README are examples/hello.ts, and greet in a colour that changes", async () => {
  const readme = await Deno.readTextFile(new URL("README.md", ROOT));
  const shown = /```ts ignore\n([^]*?)```/.exec(readme)![1]!;
  const example = await Deno.readTextFile(new URL("examples/hello.ts", ROOT));
  assertEquals(example.slice(example.indexOf("import ")), shown);

  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${directory}/hello.ts`, shown.replace("new WebServer({", "new WebServer({ port: 0,"));
    await using hello = deno("run", ["--check", "--allow-net", "hello.ts"], { cwd: directory });
    const [url] = await hello.line(/http:\S+/);
    const pages = [await (await fetch(url)).text(), await (await fetch(url)).text()];
    assertMatch(pages[0]!, /<h1 style="color: hsl\(0 80% 45%\)">webserver1 greets (127\.0\.0\.1|\[::1\]):\d+<\/h1>$/);
    assertMatch(pages[1]!, /hsl\(40 /);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
