/** Recent errors and warnings of a server. Errors have their text; of warnings only the number is known. */

/** Different incidents that are kept; then the oldest is dropped. */
const KEPT = 50;
/** Characters that are kept of a message, which identifies an incident, and of the text. */
const MESSAGE = 200;
const TEXT = 4_000;

/** An error or warning, and how often it occurred. */
export interface Incident {
  readonly id: number;
  readonly kind: "error" | "warning";
  /** The callback or method that it came from; blank if unknown. */
  readonly where: string;
  readonly message: string;
  /** What the console would show: the message and the stack. */
  readonly text: string;
  count: number;
  /** When it occurred first and last, in milliseconds since 1970. */
  readonly first: number;
  last: number;
}

/** The latest errors and warnings of one server. An error that occurs a thousand times a second is one entry, and cheap. */
export class Incidents {
  readonly #entries = new Map<string, Incident>();
  readonly #counted = { error: 0, warning: 0 };
  #id = 0;

  /** Adds an error that was reported to `onError`. */
  add(where: string, error: unknown): void {
    const message = shown(() => error instanceof Error ? `${error.name}: ${error.message}` : Deno.inspect(error));
    // Keep the text and not the error, which may refer to a lot of memory, such as a large request.
    this.#keep("error", where, start(message, MESSAGE), 1, () => start(shown(() => Deno.inspect(error)), TEXT));
  }

  /**
   * Adds incidents of which only the number is known: those since the last count.
   *
   * @param total The total of `info()`, which starts at 0 with the server
   */
  count(kind: Incident["kind"], total: number): void {
    const before = this.#counted[kind];
    this.#counted[kind] = total;
    const more = total < before ? total : total - before;
    if (more > 0) this.#keep(kind, "", `The text of this ${kind} is on the console`, more);
  }

  clear(): void {
    this.#entries.clear();
  }

  /** Returns all incidents, the newest first. */
  list(): Incident[] {
    return [...this.#entries.values()].reverse();
  }

  #keep(kind: Incident["kind"], where: string, message: string, more: number, text = () => ""): void {
    const now = Date.now();
    const key = `${kind} ${where} ${message}`;
    const known = this.#entries.get(key);
    if (known !== undefined) {
      known.count += more;
      known.last = now;
      return;
    }
    if (this.#entries.size === KEPT) this.#entries.delete(this.#entries.keys().next().value!);
    const incident = { id: ++this.#id, kind, where, message, text: text(), count: more, first: now, last: now };
    this.#entries.set(key, incident);
  }
}

/** Copies the start of a text. A slice would keep the whole text in memory. */
function start(text: string, length: number): string {
  return Array.from(text.slice(0, length)).join("");
}

/** The text of an error, even of one that throws when it is inspected. */
function shown(look: () => string): string {
  try {
    return look();
  } catch {
    return "An error that cannot be shown";
  }
}
