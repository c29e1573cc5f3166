/** Programs that run beside a test or a measurement: what they print, what they are sent, and how they end. */

/** Milliseconds that a program has to print what is waited for. */
const DEADLINE = 120_000;

/** How a program is started. */
export interface ProgramOptions {
  /** Its working directory; this process's own unless given. */
  readonly cwd?: string | URL;
  /** Environment variables to set. */
  readonly env?: Record<string, string>;
  /** `"null"` gives it an empty standard input. */
  readonly stdin?: "piped" | "null";
}

/** How a program ended, and all that it printed. */
export interface Ended {
  readonly code: number;
  readonly signal: Deno.Signal | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running program. Leaving its `await using` block kills it. */
export class Program implements AsyncDisposable {
  /** The whole lines that it has printed, on standard output and standard error. */
  readonly lines: string[] = [];
  readonly pid: number;
  readonly status: Promise<Deno.CommandStatus>;
  readonly #command: string;
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array> | undefined;
  readonly #read: Promise<unknown>;
  #stdout = "";
  #stderr = "";
  /** Up to where `next` has read standard output. */
  #taken = 0;
  #over = false;
  #changed = Promise.withResolvers<void>();

  /** @throws {Deno.errors.NotFound} If the program is not installed */
  constructor(command: string, args: string[], { cwd, env = {}, stdin = "piped" }: ProgramOptions = {}) {
    this.#command = [command, ...args].join(" ");
    this.#process = new Deno.Command(command, {
      args,
      env: { NO_COLOR: "1", ...env },
      ...(cwd !== undefined && { cwd }),
      stdin,
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.pid = this.#process.pid;
    this.status = this.#process.status;
    this.#input = stdin === "piped" ? this.#process.stdin.getWriter() : undefined;
    this.#read = Promise.all([
      this.#collect(this.#process.stdout, (text) => this.#stdout += text),
      this.#collect(this.#process.stderr, (text) => this.#stderr += text),
    ]).then(() => {
      this.#over = true;
      this.#notify();
    });
  }

  /** What it has printed on standard output. */
  get stdout(): string {
    return this.#stdout;
  }

  /** The first line on standard output, as far as it has come. */
  get firstLine(): string {
    return this.#stdout.split("\n", 1)[0]!;
  }

  /**
   * Waits for the first line that matches, on either output. It may have come before.
   *
   * @param from The number of lines to skip
   */
  line(pattern: RegExp, from = 0): Promise<RegExpExecArray> {
    return this.#until(() => {
      for (; from < this.lines.length; from++) {
        const match = pattern.exec(this.lines[from]!);
        if (match) return match;
      }
      return undefined;
    }, `no line matches ${pattern}`);
  }

  /** Waits for the next line on standard output. */
  next(): Promise<string> {
    return this.#until(() => {
      const end = this.#stdout.indexOf("\n", this.#taken);
      if (end < 0) return undefined;
      const line = this.#stdout.slice(this.#taken, end);
      this.#taken = end + 1;
      return line;
    }, "no further line came");
  }

  /** Waits until standard output contains a text, which may be a part of a line. */
  async printed(text: string): Promise<void> {
    await this.#until(() => this.#stdout.includes(text) || undefined, `it did not print ${JSON.stringify(text)}`);
  }

  /** Sends text or bytes to its standard input. */
  async send(data: string | Uint8Array): Promise<void> {
    await this.#input!.write(typeof data === "string" ? new TextEncoder().encode(data) : data);
  }

  /** Sends a line to its standard input. */
  write(line: string): Promise<void> {
    return this.send(`${line}\n`);
  }

  /** Sends a line, and waits for the line on standard output that answers it. */
  async ask(line: string): Promise<string> {
    // A program that has ended takes no input; waiting for its answer says how it ended.
    await this.write(line).catch(() => {});
    return await this.next();
  }

  /** Ends its standard input. */
  async endInput(): Promise<void> {
    // It may have ended by itself.
    await this.#input?.close().catch(() => {});
  }

  /** Sends it a signal. */
  kill(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  /** @throws {Error} If it has ended */
  check(): void {
    if (this.#over) throw this.#failure("it was expected to run");
  }

  /** Waits until it has ended by itself. */
  async ended(): Promise<Ended> {
    const [{ code, signal }] = await Promise.all([this.status, this.#read]);
    return { code, signal, stdout: this.#stdout, stderr: this.#stderr };
  }

  /** Ends it by a signal, and waits until it has ended. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<void> {
    try {
      this.kill(signal);
    } catch {
      // It has ended by itself.
    }
    await this.ended();
    await this.endInput();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop("SIGKILL");
  }

  async #collect(stream: ReadableStream<Uint8Array<ArrayBuffer>>, add: (text: string) => void): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      add(text);
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      this.lines.push(...lines);
      this.#notify();
    }
    if (rest !== "") this.lines.push(rest);
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** Waits until `look` finds something in what the program has printed. */
  async #until<Value>(look: () => Value | undefined, otherwise: string): Promise<Value> {
    let late = false;
    const deadline = setTimeout(() => {
      late = true;
      this.#notify();
    }, DEADLINE);
    try {
      for (;;) {
        const found = look();
        if (found !== undefined) return found;
        if (late || this.#over) throw this.#failure(otherwise);
        await this.#changed.promise;
      }
    } finally {
      clearTimeout(deadline);
    }
  }

  #failure(reason: string): Error {
    const state = this.#over ? "The program ended" : `The program was silent for ${DEADLINE / 1000} s`;
    return new Error(`${state}: ${reason}: ${this.#command}\n${this.lines.slice(-20).join("\n")}`);
  }
}

/** Runs a program to its end, with `input` as its standard input. */
export async function output(
  command: string,
  args: string[],
  { input, ...options }: Omit<ProgramOptions, "stdin"> & { readonly input?: string | Uint8Array | undefined } = {},
): Promise<Ended> {
  await using program = new Program(command, args, { ...options, stdin: input === undefined ? "null" : "piped" });
  // A program may end without having read everything.
  if (input !== undefined) await program.send(input).catch(() => {});
  await program.endInput();
  return await program.ended();
}

/** The whole lines of a stream of bytes. */
export async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
