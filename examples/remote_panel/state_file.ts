/** Values that are kept in a file between runs of the program. */

/** Milliseconds between two writes, since a slider makes sixty changes a second. */
const PAUSE = 1_000;

/** A JSON file of values by name. */
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

  /** Reads the values. There are none if the file does not exist yet or cannot be read. */
  read(): Record<string, unknown> {
    try {
      const values: unknown = JSON.parse(Deno.readTextFileSync(this.#path));
      return typeof values === "object" && values !== null ? values as Record<string, unknown> : {};
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) {
        console.warn(`Cannot read ${this.#path}, so the panel starts with its first values: ${error}`);
      }
      return {};
    }
  }

  /** Writes the values within a second. */
  save(): void {
    this.#timer ??= setTimeout(() => this.flush(), PAUSE);
  }

  /** Writes the values now if they were not written yet. Resolves when they are on the disk. */
  flush(): Promise<void> {
    if (this.#timer === undefined) return this.#writing;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return this.#writing = this.#writing.then(() => this.#write()).catch((error) => {
      console.warn(`Cannot write the panel's values to ${this.#path}: ${error.message}`);
    });
  }

  /** Writes another file and renames it, so a power cut leaves the old file or the new one, and never half of one. */
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
