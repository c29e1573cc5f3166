/** A process of the bench: it is spoken to line by line, and looked at in /proc (Linux). */

/** Bytes of a page of memory, as most Linux machines have them. */
const PAGE = 4096;

/** A running program, which ends when its input does. */
export class Process implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #lines: AsyncGenerator<string>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #command: string;
  /** The end of what it has said about errors: told when it fails, since a load that is over leaves complaints behind. */
  #complaints = "";
  #status: Deno.CommandStatus | undefined;

  /**
   * Starts it.
   *
   * @throws {Deno.errors.NotFound} If there is no such program
   */
  constructor(program: string, args: string[]) {
    this.#command = [program, ...args].join(" ");
    this.#process = new Deno.Command(program, { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
    this.#lines = lines(this.#process.stdout);
    this.#input = this.#process.stdin.getWriter();
    this.#process.status.then((status) => this.#status = status);
    this.#listen();
  }

  /** The next line that it prints. */
  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw this.#ended();
    return value;
  }

  /** Sends a line, and returns the line that answers it. */
  async ask(text: string): Promise<string> {
    await this.#input.write(new TextEncoder().encode(`${text}\n`)).catch(() => {
      throw this.#ended();
    });
    return await this.line();
  }

  /** @throws {Error} If it has ended. */
  check(): void {
    if (this.#status) throw this.#ended();
  }

  /** Seconds of processor time that its threads have used, in user code and in the kernel. */
  cpuTime(): number {
    // Unlike `stat`, which counts in hundredths of a second, this is in nanoseconds.
    let nanoseconds = 0;
    for (const id of this.#list("task")) {
      try {
        nanoseconds += Number(Deno.readTextFileSync(`/proc/${this.#process.pid}/task/${id}/schedstat`).split(" ")[0]);
      } catch {
        // A thread that has just ended.
      }
    }
    return nanoseconds / 1e9;
  }

  /** Bytes of its memory that are in RAM. */
  residentMemory(): number {
    return Number(this.#look("statm", Deno.readTextFileSync).split(" ")[1]) * PAGE;
  }

  /** How many files it has open, sockets included. */
  openFiles(): number {
    return this.#list("fd").length;
  }

  /** Ends its input, and waits until it has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    // It may have ended by itself.
    await this.#input.close().catch(() => {});
    await this.#lines.return(undefined);
    await this.#process.status;
  }

  #ended(): Error {
    return new Error(`The process ended too early: ${this.#command}\n${this.#complaints}`);
  }

  async #listen(): Promise<void> {
    for await (const line of lines(this.#process.stderr)) {
      this.#complaints = `${this.#complaints}${line}\n`.slice(-4000);
    }
  }

  #list(folder: string): string[] {
    return this.#look(folder, (path) => [...Deno.readDirSync(path)].map(({ name }) => name));
  }

  #look<Value>(entry: string, read: (path: string) => Value): Value {
    try {
      return read(`/proc/${this.#process.pid}/${entry}`);
    } catch {
      throw this.#ended();
    }
  }
}

/** The lines of a stream of bytes; what follows the last line break is none. */
export async function* lines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}
