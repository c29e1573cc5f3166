/** Runs an example with the permissions that its first line names, on a free port of loopback. */

import { deno, ROOT } from "./deno.ts";
import type { Program } from "./program.ts";

/** A running example. */
export interface Example extends AsyncDisposable {
  readonly program: Program;
  readonly url: string;
  readonly port: number;
}

/** How an example is run, where that differs from its first line. */
export interface ExampleOptions {
  /** More flags, such as a narrower `--allow-read`. */
  readonly flags?: string[];
  /** The working directory; the folder of the project unless given. */
  readonly folder?: string | URL;
  /** Environment variables to set. */
  readonly env?: Record<string, string>;
}

/** The flags of the command in the first line of an example. The lock file is always that of the tests. */
export async function flagsOf(file: string): Promise<string[]> {
  const [firstLine] = (await Deno.readTextFile(new URL(file, ROOT))).split("\n");
  const flags = /^\/\/ deno (?:run|serve) (.*) examples\//.exec(firstLine!)?.[1]?.split(" ");
  if (flags === undefined) throw new Error(`The first line of "${file}" is not a command: "${firstLine}"`);
  return flags.filter((flag) => !flag.startsWith("--lock="));
}

/**
 * Starts the `server` that an example exports.
 *
 * @param file From the folder of the project: `examples/rest_api.ts`
 */
export async function example(
  file: string,
  { flags = [], folder = ROOT, env = {} }: ExampleOptions = {},
): Promise<Example> {
  const starter = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(
    starter,
    `import { server } from ${JSON.stringify(new URL(file, ROOT).href)};
await server.set({ port: 0, localaddress: "127.0.0.1", active: true });
console.log("listening " + server.address!.url);
`,
  );
  const program = deno("run", [...await flagsOf(file), ...flags, starter], { cwd: folder, env });
  const stop = async () => {
    await program.stop("SIGKILL");
    await Deno.remove(starter);
  };
  try {
    const url = (await program.line(/^listening (\S+)$/))[1]!;
    return { program, url, port: Number(new URL(url).port), [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
