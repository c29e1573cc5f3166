/** Commands that the program prints can be pasted. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { runDenoWith, shellWord } from "../internal/engine/shell.ts";
import { folded } from "../internal/cli/invocation.ts";
import { config, program, run } from "./program.ts";

Deno.test("shellWord() quotes for POSIX shells what has a meaning there", () => {
  const words: [word: string, quoted: string][] = [
    ["show.ts", "show.ts"],
    ["--allow-read=a.pem,b.pem", "--allow-read=a.pem,b.pem"],
    ["my show.ts", "'my show.ts'"],
    ["--allow-read=my show's.ts", "--allow-read='my show'\\''s.ts'"],
    ["--allow-net=[::]:9980", "--allow-net='[::]:9980'"],
    ["$HOME;`id`", "'$HOME;`id`'"],
    ["", "''"],
  ];
  for (const [word, quoted] of words) assertEquals(shellWord(word, false), quoted);
});

Deno.test("shellWord() quotes for PowerShell and cmd what has a meaning there", () => {
  const words: [word: string, quoted: string][] = [
    ["C:\\show\\show.ts", "C:\\show\\show.ts"],
    ["C:\\my show\\show.ts", '"C:\\my show\\show.ts"'],
    ["--allow-read=a.pem,b.pem", '--allow-read="a.pem,b.pem"'],
    ["--allow-read=C:\\$show's.ts", "--allow-read='C:\\$show''s.ts'"],
    ["a&b", '"a&b"'],
  ];
  for (const [word, quoted] of words) assertEquals(shellWord(word, true), quoted);
});

Deno.test("runDenoWith() names all flags", () => {
  assertEquals(runDenoWith("--allow-net", "--allow-read=a"), "run Deno with --allow-net --allow-read=a");
});

if (Deno.build.os !== "windows") {
  Deno.test("a long command goes on in the next line, and is the same command", async () => {
    const command = `printf '%s\\n' ${Array.from({ length: 12 }, (_, index) => `--flag${index} value`).join(" ")}`;
    const outputs = await Promise.all([command, folded(command)].map(async (text) => {
      const { stdout } = await new Deno.Command("sh", { args: ["-c", text] }).output();
      return new TextDecoder().decode(stdout);
    }));
    assertStringIncludes(folded(command), " \\\n");
    assertEquals(outputs[1], outputs[0]);
  });

  Deno.test("the command that init prints runs as it is, also in a folder with spaces and quotes", async () => {
    const parent = await Deno.makeTempDir();
    try {
      const folder = `${parent}/the artist's show`;
      await Deno.mkdir(folder);
      await Deno.mkdir(`${parent}/bin`);
      const init = await run(["init", folder], [`--allow-write=${folder}`]);
      assertEquals([init.code, init.stderr], [0, ""]);
      const [said, command] = init.stdout.trimEnd().split("\n") as [string, string];
      assertMatch(said, /^Created .*webserver1_callbacks\.ts\. Edit it, then run:$/);
      // `deno`, and what npx would fetch, are the Deno that runs this test.
      await Deno.writeTextFile(
        `${parent}/bin/deno`,
        `#!/bin/sh\nshift\nexec '${Deno.execPath()}' run --quiet --config '${config}' "$@"\n`,
        { mode: 0o755 },
      );
      await Deno.writeTextFile(`${parent}/bin/npx`, `#!/bin/sh\nshift 2\nexec deno "$@"\n`, { mode: 0o755 });
      const process = new Deno.Command("sh", {
        args: ["-c", `exec ${command} --port 0 --localaddress 127.0.0.1`],
        env: { NO_COLOR: "1", PATH: `${parent}/bin:${Deno.env.get("PATH")}` },
        stdin: "null",
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
      try {
        const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
        const { value = "" } = await reader.read();
        assertEquals(
          await (await fetch(/http:\S+/.exec(value)![0])).text(),
          "<b>TouchDesigner: </b>webserver1",
        );
        await reader.cancel();
      } finally {
        process.kill("SIGTERM");
        await process.status;
      }
    } finally {
      await Deno.remove(parent, { recursive: true });
    }
  });
}

Deno.test("--help shows commands by the name that this program has", async () => {
  const { stdout } = await run(["--help"], []);
  assertMatch(stdout, /^ {4}(?:deno|npx --yes deno@\S+) run --allow-net \S*mod\.ts$/m);
  assertStringIncludes(stdout, new URL(program).pathname.split("/").at(-1)!);
});
