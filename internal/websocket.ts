/** WebSockets: taking them, and the set of them. */

import type { ResponseDictionary } from "../callbacks.ts";
import { formatAddress, isClientAddress } from "./address.ts";
import { Connection, type Membership, type Message, type Shared } from "./connection.ts";
import { type Cooks, Failure } from "./cook.ts";
import { clientAddressOf, peerOf } from "./forwarded.ts";
import { acceptanceHeaders, handshakeObjection } from "./handshake.ts";
import { originObjection } from "./origin.ts";
import type { WebServerParameters } from "./parameters.ts";
import { type RequestContext, requestDictionary, targetOf } from "./request.ts";
import { refusal, responseDictionary, toResponse } from "./response.ts";
import { within } from "./within.ts";

/** Milliseconds for a peer to answer the close of a server that stops: a phone that sleeps never does. */
const CLOSE_TIMEOUT = 1_000;
/** Milliseconds between two looks at the connections. */
const CHECK_INTERVAL = 500;

/** The connections that the runtime holds, over all listeners of a server. */
export interface Slots {
  taken: number;
}

/** The connections that came by one listener, by the address of their clients. */
export class WebSockets {
  readonly #cooks: Cooks;
  readonly #parameters: () => WebServerParameters;
  readonly #slots: Slots;
  readonly #shared: Shared;
  /** Those that the runtime holds. */
  readonly #held = new Set<Connection>();
  readonly #open = new Map<string, Connection>();
  /** Closed ones whose last callback is still to settle. */
  readonly #finishing = new Set<Connection>();
  /** Opened ones that wait for those who had their address before. */
  readonly #whenDone = new Map<string, () => void>();
  #closed = false;
  #whenEmpty: (() => void) | undefined;
  #checks: ReturnType<typeof setInterval> | undefined;

  constructor(cooks: Cooks, parameters: () => WebServerParameters, slots: Slots) {
    this.#cooks = cooks;
    this.#parameters = parameters;
    this.#slots = slots;
    this.#shared = { cooks, parameters, set: this.#membership };
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
   * @throws {TypeError} If `client` is no address, as happens with swapped arguments
   */
  find(client: string): Connection | undefined {
    const connection = this.#open.get(client);
    if (connection === undefined && !isClientAddress(client)) {
      throw new TypeError(
        `Cannot find the client ${Deno.inspect(client, { strAbbreviateSize: 80 })}: it is no address such as ` +
          `"127.0.0.1:50112". The client is the first argument`,
      );
    }
    return connection;
  }

  /** Sends to every client; how many took it. */
  broadcast(data: Message): number {
    let taken = 0;
    for (const connection of this.#open.values()) if (connection.send(data)) taken++;
    return taken;
  }

  /**
   * The answer to a handshake. Unless a callback is asked that is async, all of it is synchronous: a client that leaves while an answer is
   * awaited leaks a file descriptor of the runtime. And nothing may fail once the request is upgraded.
   */
  accept(
    request: Request,
    info: Deno.ServeHandlerInfo | undefined,
    context: RequestContext,
  ): Response | Promise<Response> {
    const refused = handshakeObjection(request);
    if (refused) return refused;
    const { maxConnections, origins } = this.#parameters();
    const forbidden = originObjection(request, origins, (message) => this.#cooks.warn(message));
    if (forbidden !== undefined) return refusal(403, forbidden);
    if (this.#slots.taken >= maxConnections) {
      this.#cooks.warn(`A WebSocket is refused, since ${maxConnections} are open: see parameter "maxConnections"`);
      return refusal(503, "Too many WebSockets are open");
    }
    const peer = peerOf(info);
    const handshake: Handshake = {
      request,
      context,
      client: clientAddressOf(request, peer, context.trustedProxies),
      peer: peer ? formatAddress(peer.hostname, peer.port) : "",
      uri: targetOf(request),
    };
    if (!this.#cooks.has("onWebSocketRequest")) return this.#upgrade(handshake);
    const response: ResponseDictionary = {
      ...responseDictionary(),
      statusCode: 101,
      statusReason: "Switching Protocols",
    };
    const result = this.#cooks.run("onWebSocketRequest", requestDictionary(request, info, context), response);
    if (!(result instanceof Promise)) return this.#decide(result ?? response, handshake);
    const { signal } = request;
    this.#slots.taken++;
    return result.then((settled) => {
      this.#slots.taken--;
      return signal.aborted ? refusal(400, "The client has left") : this.#decide(settled ?? response, handshake);
    });
  }

  #decide(decision: unknown, handshake: Handshake): Response {
    const { request, context } = handshake;
    if (decision instanceof Failure) return refusal(decision.status, decision.detail);
    try {
      const accepted = !(decision instanceof Response) && (decision as ResponseDictionary).statusCode === 101;
      const headers = accepted
        ? acceptanceHeaders(decision as ResponseDictionary, request.headers.get("sec-websocket-protocol"))
        : undefined;
      context.clearText?.answered(request, accepted ? 101 : 400);
      return headers ? this.#upgrade(handshake, headers) : toResponse(decision, request);
    } catch (error) {
      this.#cooks.report(error, "onWebSocketRequest");
      return refusal(500);
    }
  }

  #upgrade({ request, client, peer, uri }: Handshake, headers?: Headers): Response {
    if (this.#closed) return refusal(503, "The server stops", { connection: "close" });
    const { idleTimeout } = this.#parameters();
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout });
    for (const [name, value] of headers ?? []) response.headers.append(name, value);
    // Two proxies may forward the same address by the same port.
    const name = client !== peer && this.#open.has(client) ? peer : client;
    this.#held.add(new Connection(socket, name, uri, this.#shared));
    this.#slots.taken++;
    this.#checks ??= this.#startChecks();
    return response;
  }

  #startChecks(): ReturnType<typeof setInterval> {
    const checks = setInterval(() => {
      const now = performance.now();
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
      // The address is free again, so whoever had it is gone, though no close has come.
      this.#open.get(client)?.finish();
      this.#open.set(client, connection);
      const finishing = [...this.#finishing].some((other) => other.client === client);
      if (!finishing) return true;
      return new Promise((resolve) => this.#whenDone.set(client, resolve));
    },
    closed: (connection) => {
      this.#open.delete(connection.client);
      this.#finishing.add(connection);
    },
    done: (connection) => {
      this.#finishing.delete(connection);
      this.#whenDone.get(connection.client)?.();
      this.#whenDone.delete(connection.client);
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
   * Closes every connection, and takes no more. Peers that do not answer in time are taken for gone; resolves when all
   * callbacks have settled.
   */
  async close(code: number, reason: string): Promise<void> {
    this.#closed = true;
    for (const connection of [...this.#open.values()]) connection.close(code, reason);
    if (!this.#empty) {
      const empty = new Promise<void>((resolve) => this.#whenEmpty = resolve);
      await within(CLOSE_TIMEOUT, empty);
      for (const connection of [...this.#open.values()]) connection.finish();
      await empty;
    }
    this.#stopChecks();
  }

  /** The time is up: of what waits to be handled, only the closes are. */
  abandon(): void {
    this.#stopChecks();
    for (const connection of [...this.#open.values()]) connection.finish();
    for (const connection of this.#finishing) connection.abandon();
    // Nobody looks at them any more.
    for (const connection of this.#held) connection.forget();
  }
}

/** What is known of a handshake: the request dies at the upgrade. */
interface Handshake {
  readonly request: Request;
  readonly context: RequestContext;
  readonly client: string;
  /** The address at the other end of the connection. */
  readonly peer: string;
  readonly uri: string;
}
