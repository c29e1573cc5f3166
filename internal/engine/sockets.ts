/** WebSockets: accepts them, and holds the set of them. */

import { formatAddress, isClientAddress } from "./address.ts";
import { refusal } from "./answer.ts";
import { Connection, type Membership, type Shared } from "./connection.ts";
import { hasLeft, keepFreedMemory, upgradeWebSocket } from "./deno.ts";
import type { Engine, Slots } from "./engine.ts";
import type { Exchange } from "./exchange.ts";
import { Failure } from "./fault.ts";
import { handshakeObjection, preferredProtocol } from "./handshake.ts";
import type { Decision, Hooks } from "./hooks.ts";
import type { Settings } from "./limits.ts";
import { originObjection } from "./origin.ts";
import type { Message } from "./outbox.ts";
import { within } from "./within.ts";

/** Milliseconds that a client has to answer the close of a stopping server; a sleeping phone never does. */
const STOP_TIMEOUT = 1_000;
/** Milliseconds between two checks of the connections. */
const CHECK_INTERVAL = 500;

/** The connections of one listener, by the address of their clients. */
export class WebSockets {
  readonly #hooks: Hooks;
  readonly #settings: Settings;
  readonly #slots: Slots;
  readonly #shared: Shared;
  /** Those that Deno holds. */
  readonly #held = new Set<Connection>();
  readonly #open = new Map<string, Connection>();
  /** Closed ones whose last callback has not settled yet, with the promise to resolve when it has. */
  readonly #finishing = new Map<Connection, PromiseWithResolvers<void>>();
  /** The last of these for each client. */
  readonly #lastFinishing = new Map<string, Connection>();
  #closed = false;
  #whenEmpty: (() => void) | undefined;
  #checks: ReturnType<typeof setInterval> | undefined;
  #looks = 0;

  constructor({ hooks, settings, slots }: Engine) {
    this.#hooks = hooks;
    this.#settings = settings;
    this.#slots = slots;
    this.#shared = { hooks, settings, set: this.#membership };
  }

  get size(): number {
    return this.#open.size;
  }

  clients(): string[] {
    return [...this.#open.keys()];
  }

  connections(): Iterable<Connection> {
    return this.#open.values();
  }

  /**
   * The connection of a client, or undefined if it is gone.
   *
   * @throws {TypeError} If `client` is not an address, as happens with swapped arguments
   */
  find(client: string): Connection | undefined {
    const connection = this.#open.get(client);
    if (connection === undefined && !isClientAddress(client)) {
      throw new TypeError(
        `Cannot find the client ${Deno.inspect(client, { strAbbreviateSize: 80 })}: it is not a client address like ` +
          `"127.0.0.1:50112"; are the arguments swapped? The client comes first`,
      );
    }
    return connection;
  }

  /** Sends to every client, and returns how many it was sent to. */
  broadcast(data: Message): number {
    let taken = 0;
    for (const connection of this.#open.values()) if (connection.send(data)) taken++;
    return taken;
  }

  /**
   * The answer to a handshake. It takes some turns of the event loop: a client that is gone before Deno writes the 101 would leak a file
   * descriptor (L1). Nothing may fail once the request has been upgraded (L3).
   */
  accept(exchange: Exchange): Response | Promise<Response> {
    const { request } = exchange;
    const { limits } = this.#settings;
    const refused = handshakeObjection(request);
    if (refused) return refused;
    const forbidden = originObjection(request, limits, this.#hooks);
    if (forbidden !== undefined) return refusal(403, forbidden);
    const { maxConnections } = limits;
    if (this.#slots.taken >= maxConnections) {
      this.#hooks.warn(
        "maxConnections",
        `A WebSocket was refused, since ${maxConnections} are open already: see parameter "maxConnections"`,
      );
      return refusal(503, "Too many WebSockets are open");
    }
    const handshake = handshakeOf(exchange);
    const decision = this.#hooks.handshake(exchange, preferredProtocol(request));
    if (!(decision instanceof Promise)) return this.#carryOut(decision, handshake);
    this.#slots.taken++;
    return decision.then((settled) => {
      this.#slots.taken--;
      return this.#carryOut(settled, handshake);
    });
  }

  #carryOut(decision: Decision, handshake: Handshake): Response | Promise<Response> {
    if (decision instanceof Failure) return refusal(decision.status, decision.detail);
    if (decision instanceof Response) return decision;
    return this.#upgrade(handshake, decision).catch((error) => {
      this.#hooks.report(error);
      return refusal(500);
    });
  }

  async #upgrade({ request, client, peer, uri }: Handshake, headers: Headers): Promise<Response> {
    this.#slots.taken++;
    const left = await hasLeft(request);
    this.#slots.taken--;
    if (left) return refusal(400, "The client has left");
    if (this.#closed) return refusal(503, "The server is stopping", { connection: "close" });
    keepFreedMemory();
    const { socket, response } = upgradeWebSocket(request, this.#settings.limits.idleTimeout);
    for (const [name, value] of headers) response.headers.append(name, value);
    // Two proxies may forward the same address, and connect from the same port.
    const name = client !== peer && this.#open.has(client) ? peer : client;
    this.#held.add(new Connection(socket, name, uri, this.#shared));
    this.#slots.taken++;
    this.#checks ??= this.#startChecks();
    return response;
  }

  #startChecks(): ReturnType<typeof setInterval> {
    const checks = setInterval(() => {
      // Counts checks, not time: while a callback blocks the process, no client can read anything.
      const now = ++this.#looks * CHECK_INTERVAL;
      for (const connection of this.#held) connection.check(now);
      if (this.#held.size === 0) this.#stopChecks();
    }, CHECK_INTERVAL);
    Deno.unrefTimer(checks);
    return checks;
  }

  #stopChecks(): void {
    clearInterval(this.#checks);
    this.#checks = undefined;
  }

  readonly #membership: Membership = {
    opened: (connection) => {
      if (this.#closed) return false;
      const { client } = connection;
      // The address is in use again, so the client that had it before is gone, though no close has arrived.
      this.#open.get(client)?.abort();
      this.#open.set(client, connection);
      const before = this.#lastFinishing.get(client);
      return before === undefined ? true : this.#finishing.get(before)!.promise;
    },
    closed: (connection) => {
      this.#open.delete(connection.client);
      this.#finishing.set(connection, Promise.withResolvers());
      this.#lastFinishing.set(connection.client, connection);
    },
    done: (connection) => {
      const { client } = connection;
      this.#finishing.get(connection)?.resolve();
      this.#finishing.delete(connection);
      if (this.#lastFinishing.get(client) === connection) this.#lastFinishing.delete(client);
      if (this.#empty) this.#whenEmpty?.();
    },
    gone: (connection) => {
      this.#held.delete(connection);
      this.#slots.taken--;
    },
  };

  get #empty(): boolean {
    return this.#open.size === 0 && this.#finishing.size === 0;
  }

  /**
   * Closes every connection, and accepts no more. Clients that do not answer in time count as gone. Resolves when all
   * callbacks have settled.
   */
  async close(code: number, reason: string): Promise<void> {
    this.#closed = true;
    for (const connection of [...this.#open.values()]) connection.close(code, reason);
    if (!this.#empty) {
      const empty = new Promise<void>((resolve) => this.#whenEmpty = resolve);
      await within(STOP_TIMEOUT, empty);
      for (const connection of [...this.#open.values()]) connection.abort();
      await empty;
    }
    this.#stopChecks();
  }

  /** Time is up: of the events that wait, only the closes are still handled. */
  abandon(): void {
    this.#stopChecks();
    for (const connection of [...this.#open.values()]) connection.abort();
    for (const connection of this.#finishing.keys()) connection.dropEvents();
    // The interval has stopped, so release them here.
    for (const connection of this.#held) connection.forget();
  }
}

/** The parts of a handshake that are needed after its request has been upgraded, which ends the request. */
interface Handshake {
  readonly request: Request;
  readonly client: string;
  /** The address at the other end of the connection. */
  readonly peer: string;
  readonly uri: string;
}

function handshakeOf({ request, client, peer, target }: Exchange): Handshake {
  return { request, client, peer: peer ? formatAddress(peer.hostname, peer.port) : "", uri: target };
}
