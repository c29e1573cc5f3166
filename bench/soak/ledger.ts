/** The path of the WebSockets of clients that behave. */
const BEHAVED = "/talk";

/** The records of the soak's server, and the faults that it finds in them. */
export class Ledger {
  requests = 0;
  opened = 0;
  closed = 0;
  /** How often each code ended the WebSocket of a client that behaves. */
  readonly codes: Record<number, number> = {};
  readonly faults: string[] = [];
  /** The clients, and the `uri` of each. */
  readonly #open = new Map<string, string>();
  /** The last request of each client: they come one after the other, numbered. */
  readonly #last = new Map<string, number>();

  /** A callback runs for a request. The same number again means that the answer to the first one was lost. */
  request(client: string, id: number): void {
    this.requests++;
    if (id <= (this.#last.get(client) ?? -1)) this.faults.push(`Request ${id} of client ${client} was run twice`);
    this.#last.set(client, id);
  }

  open(client: string, uri: string): void {
    this.opened++;
    if (this.#open.has(client)) this.faults.push(`${client} was opened twice`);
    this.#open.set(client, uri);
  }

  close(client: string, code: number): void {
    this.closed++;
    if (this.#open.get(client) === BEHAVED) this.codes[code] = (this.codes[code] ?? 0) + 1;
    if (!this.#open.delete(client)) this.faults.push(`${client} was closed, but not open`);
  }

  message(client: string): void {
    if (!this.#open.has(client)) this.faults.push(`${client} sent a message, but was not open`);
  }

  /** Call this at the end, with the server stopped. */
  conclude(): void {
    for (const client of this.#open.keys()) this.faults.push(`${client} was never closed`);
  }
}
