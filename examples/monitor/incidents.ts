/** What went wrong lately: errors with their text, warnings as far as they can be told. */

/** How many different ones are kept; then the oldest goes. */
const KEPT = 50;
/** Characters that are kept of a message, by which errors are told apart, and of what the console would show. */
const MESSAGE = 200;
const TEXT = 4_000;

/** An error or warning, and how often it has come. */
export interface Incident {
  readonly id: number;
  readonly kind: "error" | "warning";
  /** The callback or method that it came from; blank where that is not known. */
  readonly where: string;
  readonly message: string;
  /** What the console would show: the message and the stack. */
  readonly text: string;
  count: number;
  /** When it came first and last, in milliseconds since 1970. */
  readonly first: number;
  last: number;
}

/** The latest errors and warnings of one server. One that comes a thousand times a second is one entry, and cheap. */
export class Incidents {
  readonly #entries = new Map<string, Incident>();
  readonly #counted = { error: 0, warning: 0 };
  #id = 0;

  /** Keeps an error that `onError` was told. */
  add(where: string, error: unknown): void {
    const message = shown(() => error instanceof Error ? `${error.name}: ${error.message}` : Deno.inspect(error));
    // The text and not the error, which may hold on to anything, such as a large request.
    this.#keep("error", where, start(message, MESSAGE), 1, () => start(shown(() => Deno.inspect(error)), TEXT));
  }

  /**
   * Keeps what is known by its number only: what was not there at the last count.
   *
   * @param total As `info()` has it, which starts anew with the server
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

  /** The newest first. */
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

/** The start of a text, as a copy: a slice would keep the whole text in memory. */
function start(text: string, length: number): string {
  return Array.from(text.slice(0, length)).join("");
}

/** The text of an error that may throw when it is looked at. */
function shown(look: () => string): string {
  try {
    return look();
  } catch {
    return "An error that cannot be shown";
  }
}
