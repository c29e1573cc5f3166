/** Messages of the command line and of programs: which of them name flags, and that each is printed once. */

import { assertEquals, assertMatch } from "@std/assert";
import { WebServer } from "../mod.ts";
import { config, program, run } from "./program.ts";
import { withFlags } from "../internal/cli/wording.ts";

/** Runs a program that imports the package to its end. */
async function runSource(source: string, permissions = ["--allow-net"]): Promise<{ code: number; stderr: string }> {
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(path, `import { WebServer } from ${JSON.stringify(program)};\n${source}`);
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--config", config, ...permissions, path],
      env: { NO_COLOR: "1" },
      stdin: "null",
    }).output();
    return { code, stderr: new TextDecoder().decode(stderr) };
  } finally {
    await Deno.remove(path);
  }
}

const count = (text: string, part: string) => text.split(part).length - 1;

Deno.test("the command line names the flag of a parameter, once a message", () => {
  const parameters = ["port", "localaddress"];
  assertEquals(
    withFlags('Set parameter "port" to 1, or parameter "port" to 2. Parameter "password" is wrong', parameters),
    'Set parameter "port" (--port) to 1, or parameter "port" to 2. Parameter "password" (--password-file) is wrong',
  );
  assertEquals(
    withFlags('parameter "active", parameter "nonsense"', parameters),
    'parameter "active", parameter "nonsense"',
  );
});

Deno.test("the command line writes a list that a message advises as the flag takes it", () => {
  assertEquals(
    withFlags('to allow it, set parameter "origins" to ["same","http://[::1]:8080"]', ["origins"]),
    'to allow it, set parameter "origins" (--origins same,http://[::1]:8080)',
  );
});

Deno.test("the message about a taken port names the flag on the command line, and not in a program", async () => {
  await using other = new WebServer({ port: 0, localaddress: "127.0.0.1" });
  await other.start();
  const { port } = other.address!;
  const { stderr } = await run(["--localaddress", "127.0.0.1", "--port", String(port)]);
  assertMatch(stderr, /^[^\n]*parameter "port" \(--port\) to a free one[^\n]*\n$/);
  const own = await runSource(`void new WebServer({ port: ${port}, localaddress: "127.0.0.1" }).start();`);
  assertMatch(own.stderr, /^[^\n]*parameter "port" to a free one[^\n]*\n$/);
});

for (
  const [what, parameters, sentence] of [
    ["a missing callbacks file", `callbacks: "not/there.ts"`, "there is no file"],
    ["a permission that is missing", `callbacks: "x.ts", port: 0, localaddress: "127.0.0.1"`, "run Deno with"],
  ] as const
) {
  const permissions = what.startsWith("a missing") ? ["--allow-net", "--allow-read"] : [];
  const make = `const server = new WebServer({ ${parameters} });`;

  Deno.test(`${what} is reported once if the program awaits the start`, async () => {
    const { code, stderr } = await runSource(`${make} await server.start();`, permissions);
    assertEquals([code, count(stderr, "webserver1:"), count(stderr, "Caused by")], [1, 0, 0], stderr);
    assertMatch(stderr, new RegExp(`^error: Uncaught \\(in promise\\) \\w+: Cannot load callbacks\\b.*${sentence}`));
  });

  Deno.test(`${what} is reported once if the program does not await the start`, async () => {
    const { code, stderr } = await runSource(`${make} server.start();`, permissions);
    assertEquals([code, count(stderr, "\n"), count(stderr, sentence)], [0, 1, 1], stderr);
  });

  Deno.test(`${what} is not printed if the program catches the error`, async () => {
    const { stderr } = await runSource(`${make} await server.start().catch(() => {});`, permissions);
    assertEquals(stderr, "");
  });
}

Deno.test("onError gets the error of a start that the program awaits", async () => {
  const errors: string[] = [];
  const server = new WebServer({
    callbacks: "not/there.ts",
  });
  await server.start().catch(() => {});
  assertEquals(server.info().errors, 1);
  await server.set({ callbacks: { onError: (_webServer, _error, name) => errors.push(name) } });
  await server.set({ port: -1 }).catch(() => {});
  assertEquals(errors, ["set"]);
});
