/** The commands in the first lines of the examples, run as they are, but on another port. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ROOT } from "../support/deno.ts";
import { Program } from "../support/program.ts";

const EXAMPLES = [
  "events.ts",
  "guard.ts",
  "hello.ts",
  "hono.ts",
  "images/main.ts",
  "relay/main.ts",
  "remote_panel/main.ts",
  "rest_api.ts",
  "static_site/main.ts",
];

for (const file of EXAMPLES) {
  Deno.test(`examples/${file} runs by its first line, at DENO_SERVE_ADDRESS, and answers /`, async () => {
    const [firstLine] = (await Deno.readTextFile(new URL(`examples/${file}`, ROOT))).split("\n");
    const [, flags, path] = /^\/\/ deno run (.*) (\S+)$/.exec(firstLine!)!;
    // --frozen: neither lock file may need a change.
    await using program = new Program(Deno.execPath(), ["run", "--frozen", ...flags!.split(" "), path!], {
      cwd: ROOT,
      env: { DENO_SERVE_ADDRESS: "tcp:127.0.0.1:0", PANEL_PASSWORD: "stage left", TOUCHDESIGNER_PORT: "0" },
    });
    const [, url] = await program.line(/Open (http:\/\/127\.0\.0\.1:\d+\/)/);
    const authorization = `Basic ${btoa("operator:stage left")}`;
    const response = await fetch(url!, { headers: { authorization } });
    const text = await response.text();
    assertEquals(response.status, 200, text);
    if (!response.headers.get("content-type")!.startsWith("application/json")) {
      assertStringIncludes(text, '<meta name="viewport" content="width=device-width');
    }
    assert(Number(new URL(url!).port) !== 9980);
  });
}
