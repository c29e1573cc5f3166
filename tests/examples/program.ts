/** Programs that run beside a test: their lines, their end by their own process id, and ports for them. */

/** A port of loopback that nothing listens on: for programs that cannot say which one they took. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

/** Milliseconds to wait for a line of a program before the test fails. */
const DEADLINE = 120_000;

/** A running program. */
export class Program implements AsyncDisposable {
  /** What it has printed, errors included. */
  readonly lines: string[] = [];
  readonly status: Promise<Deno.CommandStatus>;
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #read: Promise<unknown>;
  #ended = false;
  #changed = Promise.withResolvers<void>();

  constructor(command: string, args: string[], env: Record<string, string> = {}) {
    this.#process = new Deno.Command(command, {
      args,
      env: { NO_COLOR: "1", ...env },
      cwd: new URL("../../", import.meta.url),
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    this.status = this.#process.status;
    this.#read = Promise.all([this.#collect(this.#process.stdout), this.#collect(this.#process.stderr)])
      .then(() => {
        this.#ended = true;
        this.#changed.resolve();
      });
  }

  get pid(): number {
    return this.#process.pid;
  }

  async #collect(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      this.lines.push(...lines);
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    }
    if (rest !== "") this.lines.push(rest);
  }

  /**
   * The first line that matches, printed already or still to come within the deadline.
   *
   * @param from The number of lines to pass over
   */
  async line(pattern: RegExp, from = 0): Promise<RegExpExecArray> {
    let late = false;
    const deadline = setTimeout(() => {
      late = true;
      this.#changed.resolve();
    }, DEADLINE);
    try {
      for (let next = from;; next++) {
        while (next >= this.lines.length) {
          if (this.#ended || late) {
            throw new Error(
              `${late ? "Late" : "Ended"}: no line matches ${pattern}:\n${this.lines.slice(-20).join("\n")}`,
            );
          }
          await this.#changed.promise;
        }
        const match = pattern.exec(this.lines[next]!);
        if (match) return match;
      }
    } finally {
      clearTimeout(deadline);
    }
  }

  /** Writes a line to its input. */
  async write(line: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(line + "\n"));
  }

  /** Ends it. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<void> {
    try {
      this.#process.kill(signal);
    } catch {
      // It has ended by itself.
    }
    await this.status;
    await this.#read;
    await this.#input.close().catch(() => {});
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** Runs a file of the project by Deno, with the settings of the project. */
export function deno(command: "run" | "serve", args: string[], env?: Record<string, string>): Program {
  return new Program(Deno.execPath(), [command, "--quiet", "--no-prompt", "--lock=tests/deno.lock", ...args], env);
}

/** What the first line of an example has between the command and the file. */
export async function flagsOf(file: string): Promise<string[]> {
  const [firstLine] = (await Deno.readTextFile(new URL(`../../${file}`, import.meta.url))).split("\n");
  const flags = /^\/\/ deno (?:run|serve) (.*) \S+$/.exec(firstLine!)?.[1]?.split(" ");
  if (flags === undefined) throw new Error(`The first line of "${file}" is no command: "${firstLine}"`);
  return flags;
}

/** An example that serves. */
export interface Served extends AsyncDisposable {
  readonly program: Program;
  readonly port: number;
  readonly url: string;
}

/**
 * Starts the `server` that an example exports, on a free port of loopback, with the permissions that its first line names.
 *
 * @param file From the project's folder
 * @param env The environment beside this one
 * @param more Flags beside those of its first line
 */
export async function served(file: string, env: Record<string, string>, more: string[] = []): Promise<Served> {
  const starter = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(
    starter,
    `import { server } from ${JSON.stringify(new URL(`../../${file}`, import.meta.url).href)};
await server.set({ port: 0, localaddress: "127.0.0.1", active: true });
console.log("listening " + server.address!.url);
`,
  );
  const program = deno("run", ["--config=deno.json", ...await flagsOf(file), ...more, starter], env);
  const url = (await program.line(/^listening (\S+)$/))[1]!;
  return {
    program,
    url,
    port: Number(new URL(url).port),
    async [Symbol.asyncDispose]() {
      await program.stop();
      await Deno.remove(starter);
    },
  };
}

/** What a client of `clients.ts` has of each message: how many times, at least and at most, over the clients of a group. */
export type Received = Record<string, Record<string, [least: number, most: number]>>;

/** Many WebSockets in a process of their own. */
export class Clients extends Program {
  constructor(url: string, count: number) {
    const file = "tests/examples/clients.ts";
    super(Deno.execPath(), [
      "run",
      "--quiet",
      "--lock=tests/deno.lock",
      "--allow-net",
      "--ignore-env",
      file,
      url,
      `${count}`,
    ]);
  }

  /** How many clients each group has, once all are open. */
  async open(): Promise<Record<string, number>> {
    return (await this.#answer("open")).open as Record<string, number>;
  }

  /** Sends by one of the clients. */
  say(client: number, message: { text: string } | { bytes: number[] }): Promise<void> {
    return this.write(JSON.stringify({ client, ...message }));
  }

  /** Resolves once every client has a message. */
  async all(message: string): Promise<void> {
    await this.line(new RegExp(`^${RegExp.escape(JSON.stringify({ all: message }))}$`));
  }

  /** Lets clients send, each once in every so many milliseconds. */
  load(clients: number[], every: number): Promise<void> {
    return this.write(JSON.stringify({ load: clients, every }));
  }

  /** Ends the load; the messages sent. */
  async halt(): Promise<string[]> {
    return (await this.#ask("halt", "sent")).sent as string[];
  }

  async report(): Promise<Received> {
    return (await this.#ask("report", "received")).received as Received;
  }

  async #ask(command: string, answer: string): Promise<Record<string, unknown>> {
    const from = this.lines.length;
    await this.write(JSON.stringify({ [command]: true }));
    return await this.#answer(answer, from);
  }

  async #answer(key: string, from?: number): Promise<Record<string, unknown>> {
    return JSON.parse((await this.line(new RegExp(`^{"${key}":.*`), from))[0]);
  }
}
