/** Values that outlive the program, in a file. */

/** Milliseconds between two writes: a slider makes sixty changes a second. */
const PAUSE = 1_000;

/** A file of values by name, as JSON. */
export class StateFile {
  readonly #path: string;
  readonly #values: () => Record<string, unknown>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> = Promise.resolve();

  /** @param values Returns the values to write */
  constructor(path: string, values: () => Record<string, unknown>) {
    this.#path = path;
    this.#values = values;
  }

  /** Reads the values: none if the file does not exist yet, or cannot be read. */
  read(): Record<string, unknown> {
    try {
      const values: unknown = JSON.parse(Deno.readTextFileSync(this.#path));
      return typeof values === "object" && values !== null ? values as Record<string, unknown> : {};
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) {
        console.warn(`The panel starts from its first state, since ${this.#path} cannot be read: ${error}`);
      }
      return {};
    }
  }

  /** Writes it soon. */
  save(): void {
    this.#timer ??= setTimeout(() => this.flush(), PAUSE);
  }

  /** Writes what waits to be written; resolves when it is on the disk. */
  flush(): Promise<void> {
    if (this.#timer === undefined) return this.#writing;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return this.#writing = this.#writing.then(() => this.#write()).catch((error) => {
      console.warn(`The state cannot be written to ${this.#path}: ${error.message}`);
    });
  }

  /** Beside it first, and renamed when it is whole: a power cut leaves the old file or the new one, never a half. */
  async #write(): Promise<void> {
    const part = `${this.#path}.new`;
    {
      using file = await Deno.open(part, { write: true, create: true, truncate: true });
      const text = new TextEncoder().encode(`${JSON.stringify(this.#values(), null, 2)}\n`);
      for (let written = 0; written < text.length;) written += await file.write(text.subarray(written));
      await file.sync();
    }
    await Deno.rename(part, this.#path);
  }
}
