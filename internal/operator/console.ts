/**
 * Writes everything that this package prints. It never throws and never blocks: a full disk, a closed terminal or a pipe that nobody
 * reads costs lines, but does not stop the server. `console` may throw or block.
 */

/** Characters that may wait for one output. */
const MAX_WAITING = 64 * 1024;
/** Characters of one message. */
const MAX_MESSAGE = 8 * 1024;

/** Control characters except tab and line feed, and characters that change the direction of text or break a line. */
// deno-lint-ignore no-control-regex -- control characters are what it looks for
const UNPRINTABLE = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * Text from a client or an error, safe for a terminal: escape sequences show as text, a line cannot pass for one of ours, and a long text
 * is cut.
 */
export function printable(text: string): string {
  const cut = text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}... (${text.length} characters)` : text;
  return cut.replaceAll("\r\n", "\n")
    .replace(UNPRINTABLE, (character) => `\\u{${character.charCodeAt(0).toString(16)}}`)
    .replaceAll("\n", "\n    ");
}

const encoder = new TextEncoder();

/** Writes lines to one output, one after the other. */
class Lines {
  readonly #output: () => { write(bytes: Uint8Array): Promise<number> };
  #waiting = "";
  #dropped = 0;
  #writing: Promise<void> | undefined;

  constructor(output: () => { write(bytes: Uint8Array): Promise<number> }) {
    this.#output = output;
  }

  print(line: string): void {
    if (this.#waiting !== "" && this.#waiting.length + line.length > MAX_WAITING) this.#dropped++;
    else this.#waiting += `${line}\n`;
    this.#writing ??= this.#write();
  }

  /** Resolves when nothing waits; undefined if nothing does. */
  flush(): Promise<void> | undefined {
    return this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#waiting !== "") {
      let bytes = encoder.encode(this.#waiting);
      this.#waiting = "";
      try {
        // Runs on another thread, so only that thread waits if a pipe is full.
        while (bytes.length > 0) bytes = bytes.subarray(await this.#output().write(bytes));
      } catch {
        // There is nowhere left to say so.
      }
      if (this.#dropped > 0) {
        this.#waiting = `... dropped, since the output was not read in time: ${this.#dropped} lines\n${this.#waiting}`;
        this.#dropped = 0;
      }
    }
    this.#writing = undefined;
  }
}

const output = new Lines(() => Deno.stdout);
const errors = new Lines(() => Deno.stderr);

type Level = "log" | "warn" | "error";

const { log, warn, error } = console;
const own = { log, warn, error };

/** Where the lines of this package are, which tell a user nothing. */
const OWN = new URL("../", import.meta.url).href;

/** A stack without the lines of this package. */
function withoutOwnLines(text: string): string {
  return text.split("\n").filter((line) => !(/^ *at /.test(line) && line.includes(OWN))).join("\n");
}

/** An error as text, even one that throws when it is inspected. */
function textOf(error: unknown): string {
  try {
    return printable(withoutOwnLines(Deno.inspect(error, { colors: false, strAbbreviateSize: 1000 })));
  } catch {
    return "an error that cannot be shown";
  }
}

let wording = (line: string) => line;

/** Has every message pass through a function, which may say it in the words of the program that runs. */
export function reword(words: (message: string) => string): void {
  wording = words;
}

/**
 * Prints a line: "log" on standard output, the others on standard error. If the program has replaced the method of `console`, the line
 * goes there instead.
 *
 * @param error Printed after the line, with its stack
 */
export function print(level: Level, line: string, ...error: [error?: unknown]): void {
  if (level !== "log") line = wording(line);
  if (console[level] === own[level]) {
    return (level === "log" ? output : errors).print([line, ...error.map(textOf)].join(" "));
  }
  try {
    console[level](line, ...error);
  } catch {
    // The error comes from the program's own method.
  }
}

/** Resolves when all lines are written, or after a time, in milliseconds. */
export async function flushConsole(timeout: number): Promise<void> {
  const flushes = [output.flush(), errors.flush()];
  // The first timer of a process takes Deno about as long as to load this whole package (C9).
  if (flushes.every((flush) => flush === undefined)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeout);
  await Promise.race([promise, Promise.all(flushes)]);
  clearTimeout(timer);
}
