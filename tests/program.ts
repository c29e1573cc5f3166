/** Programs in processes of their own, for the tests of the command line. */

/** The program. */
export const program = new URL("../mod.ts", import.meta.url).href;
/** The settings of the project. */
export const config = `${import.meta.dirname}/../deno.json`;

/** A program that runs. */
export interface Program extends AsyncDisposable {
  readonly process: Deno.ChildProcess;
  /** The first line it printed. */
  readonly line: string;
  /** Waits until this is on standard output. */
  printed(text: string): Promise<void>;
  /** Waits for the end: what it printed in all, and how it ended. */
  ended(): Promise<{ code: number; signal: string | null; stdout: string; stderr: string }>;
}

/** Starts Deno with a program; `input` is its standard input. */
function command(
  args: string[],
  permissions = ["--allow-net"],
  { input, subcommand = "run", env = {} }: {
    input?: string | undefined;
    subcommand?: string;
    env?: Record<string, string>;
  } = {},
): Deno.ChildProcess {
  const process = new Deno.Command(Deno.execPath(), {
    // Where a permission is missing, --no-prompt would hide a prompt; without a terminal a prompt is a failure.
    args: [subcommand, "--quiet", "--config", config, ...permissions, ...args],
    env: { NO_COLOR: "1", ...env },
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (input !== undefined) new Blob([input]).stream().pipeTo(process.stdin);
  return process;
}

/** Starts a program, and waits for its first line. */
export async function start(
  args: string[],
  permissions?: string[],
  subcommand = "run",
  env: Record<string, string> = {},
): Promise<Program> {
  const process = command(args, permissions, { subcommand, env });
  const errors = new Response(process.stderr).text();
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let stdout = "";
  while (!stdout.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) {
      await process.status;
      throw new Error(`The program ended: ${await errors}`);
    }
    stdout += value;
  }
  const waiting: { text: string; resolve: () => void }[] = [];
  const rest = (async () => {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      stdout += read.value;
      for (const { text, resolve } of waiting) if (stdout.includes(text)) resolve();
    }
  })();
  const ended = async () => {
    const [{ code, signal }, stderr] = await Promise.all([process.status, errors, rest]);
    return { code, signal, stdout, stderr };
  };
  return {
    process,
    line: stdout.split("\n")[0]!,
    ended,
    printed: (text) => new Promise((resolve) => stdout.includes(text) ? resolve() : waiting.push({ text, resolve })),
    async [Symbol.asyncDispose]() {
      try {
        process.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await ended();
    },
  };
}

/**
 * Starts a program of a test's own, where `WebServer` is imported. It prints its port first. */
export async function startSource(
  source: string,
  permissions: string[] = ["--allow-net", "--allow-sys", "--allow-read"],
): Promise<Program & { readonly port: number }> {
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(path, `import { WebServer } from ${JSON.stringify(program)};\n${source}`);
  try {
    const running = await start([path], permissions);
    return Object.assign(running, { port: Number(running.line) });
  } finally {
    await Deno.remove(path);
  }
}

/** Starts the server on a free loopback port. */
export function startProgram(args: string[], permissions?: string[]): Promise<Program> {
  return start([program, "--port", "0", "--localaddress", "127.0.0.1", ...args], permissions);
}

/** Runs the program to its end. */
export async function run(args: string[], permissions?: string[], input?: string) {
  const { code, stdout, stderr } = await command([program, ...args], permissions, { input }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
