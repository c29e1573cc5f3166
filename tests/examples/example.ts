/** Runs an example in a process of its own, with the permissions that its first line names, on a free loopback port. */

import { fileURLToPath } from "node:url";

/** A running example. */
export interface Example extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
}

/** The project's folder, and its settings for programs outside of it. */
const ROOT = new URL("../../", import.meta.url);

/**
 * Starts the `server` that an example exports.
 *
 * @param file From the project's folder: `examples/rest_api.ts`
 * @param more Flags beside those of its first line, such as a narrower `--allow-read`
 * @param folder Where it runs, if not in the project's folder
 */
export async function example(file: string, more: string[] = [], folder: string | URL = ROOT): Promise<Example> {
  const [firstLine] = (await Deno.readTextFile(new URL(file, ROOT))).split("\n");
  const flags = /^\/\/ deno run (.*) examples\//.exec(firstLine!)?.[1]?.split(" ").filter((flag) =>
    !flag.startsWith("--lock=")
  );
  if (flags === undefined) throw new Error(`The first line of "${file}" is no command: "${firstLine}"`);
  const program = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(
    program,
    `import { server } from ${JSON.stringify(new URL(file, ROOT).href)};
await server.set({ port: 0, localaddress: "127.0.0.1", active: true });
console.log("listening " + server.address!.url);
`,
  );
  const setting = (flag: string, path: string) => `--${flag}=${fileURLToPath(new URL(path, ROOT))}`;
  const settings = [setting("config", "deno.json"), setting("lock", "tests/deno.lock")];
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", ...settings, ...flags, ...more, program],
    cwd: folder,
    stdin: "null",
    stdout: "piped",
  }).spawn();
  let output = "";
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const stop = async () => {
    try {
      process.kill("SIGTERM");
    } catch {
      // It has ended by itself.
    }
    await reader.cancel();
    await process.status;
    await Deno.remove(program);
  };
  while (!/^listening \S+\n/m.test(output)) {
    const { value, done } = await reader.read();
    if (done) {
      await stop();
      throw new Error(`"${file}" ended before it listened:\n${output}`);
    }
    output += value;
  }
  const url = /^listening (\S+)\n/m.exec(output)![1]!;
  return { url, port: Number(new URL(url).port), [Symbol.asyncDispose]: stop };
}
