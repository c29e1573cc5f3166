/** WebSockets: taking them, and the set of them. */

import type { ResponseDictionary } from "../../callbacks.ts";
import { formatAddress, isClientAddress } from "./address.ts";
import { Connection, type Membership, type Shared } from "./connection.ts";
import { type Cooks, Failure } from "../operator/cooks.ts";
import { quickTurn, turns, upgradeWebSocket } from "./deno.ts";
import { clientAddressOf, peerOf } from "./client.ts";
import { acceptanceHeaders, handshakeObjection, preferredProtocol } from "./handshake.ts";
import { originObjection } from "./origin.ts";
import { isDictionary } from "../operator/header_fields.ts";
import type { Message } from "./outbox.ts";
import type { WebServerParameters } from "../operator/parameters.ts";
import { type RequestContext, requestDictionary, targetOf } from "../operator/request.ts";
import { cancel, refusal, responseDictionary, toResponse } from "../operator/response.ts";
import type { Sendings } from "./sending.ts";
import { within } from "./within.ts";

/** Milliseconds for a peer to answer the close of a server that stops: a phone that sleeps never does. */
const CLOSE_TIMEOUT = 1_000;
/** Milliseconds between two looks at the connections. */
const CHECK_INTERVAL = 500;
/** Turns of the event loop before a handshake is accepted, in which Deno sees that the client is gone: two suffice. */
const TURNS = 3;
/** Turns that follow them, in which Deno sees a client that left during the last of those: one of them takes a millisecond. */
const QUICK_TURNS = 5;
/** The reason phrase of 101. */
const SWITCHING = "Switching Protocols";

/** The connections that the runtime holds, over all listeners of a server. */
export interface Slots {
  taken: number;
}

/** The connections that came by one listener, by the address of their clients. */
export class WebSockets {
  readonly #cooks: Cooks;
  readonly #parameters: () => WebServerParameters;
  readonly #slots: Slots;
  readonly #sendings: Sendings;
  readonly #shared: Shared;
  /** Those that the runtime holds. */
  readonly #held = new Set<Connection>();
  readonly #open = new Map<string, Connection>();
  /** Closed ones whose last callback has not settled yet, and how to say that it has. */
  readonly #finishing = new Map<Connection, PromiseWithResolvers<void>>();
  /** By client, the last one of them. */
  readonly #lastFinishing = new Map<string, Connection>();
  #closed = false;
  #whenEmpty: (() => void) | undefined;
  #checks: ReturnType<typeof setInterval> | undefined;
  #looks = 0;
  readonly #warn = (kind: string, message: string) => this.#cooks.warn(kind, message);

  constructor(cooks: Cooks, parameters: () => WebServerParameters, slots: Slots, sendings: Sendings) {
    this.#cooks = cooks;
    this.#sendings = sendings;
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

  /** Sends to every client; how many took it. */
  broadcast(data: Message): number {
    let taken = 0;
    for (const connection of this.#open.values()) if (connection.send(data)) taken++;
    return taken;
  }

  /**
   * The answer to a handshake. It takes some turns of the event loop: a client that is gone before Deno writes the 101 would leave a file
   * descriptor behind for good. Nothing may fail once the request is upgraded.
   */
  accept(
    request: Request,
    info: Deno.ServeHandlerInfo | undefined,
    context: RequestContext,
  ): Response | Promise<Response> {
    const refused = handshakeObjection(request);
    if (refused) return refused;
    const parameters = this.#parameters();
    const forbidden = originObjection(request, parameters, this.#cooks);
    if (forbidden !== undefined) return refusal(403, forbidden);
    const { maxConnections } = parameters;
    if (this.#slots.taken >= maxConnections) {
      this.#cooks.warn(
        "maxConnections",
        `A WebSocket is refused, since ${maxConnections} are open: see parameter "maxConnections"`,
      );
      return refusal(503, "Too many WebSockets are open");
    }
    const peer = peerOf(info);
    const handshake: Handshake = {
      request,
      context,
      client: clientAddressOf(request, info, context.trustedProxies),
      peer: peer ? formatAddress(peer.hostname, peer.port) : "",
      uri: targetOf(request),
      protocol: preferredProtocol(request),
    };
    const response: ResponseDictionary = {
      ...responseDictionary(),
      statusCode: 101,
      statusReason: SWITCHING,
    };
    if (handshake.protocol !== undefined) response["Sec-WebSocket-Protocol"] = handshake.protocol;
    if (!this.#cooks.has("onWebSocketRequest")) return this.#decide(response, handshake, response);
    const { client } = handshake;
    const dictionary = requestDictionary(request, info, context, undefined, undefined, client);
    const result = this.#cooks.run("onWebSocketRequest", [dictionary, response]);
    if (!(result instanceof Promise)) return this.#decide(result ?? response, handshake, response);
    this.#slots.taken++;
    return result.then((settled) => {
      this.#slots.taken--;
      return this.#decide(settled ?? response, handshake, response);
    });
  }

  #decide(decision: unknown, handshake: Handshake, given: ResponseDictionary): Response | Promise<Response> {
    const { request, context, protocol } = handshake;
    if (decision instanceof Failure) return refusal(decision.status, decision.detail);
    try {
      const accepted = !(decision instanceof Response) && (decision as ResponseDictionary).statusCode === 101;
      context.clearText?.answered(request, accepted ? 101 : 400);
      if (!accepted) return toResponse(refusalOf(decision, protocol), request, this.#sendings, this.#warn);
      // What is beside an accepted handshake is not sent.
      cancel(decision);
      const headers = acceptanceHeaders(decision as ResponseDictionary, request);
      // Another dictionary says nothing of the sub-protocol that was filled in.
      if (decision !== given && protocol !== undefined && !headers.has(PROTOCOL)) headers.set(PROTOCOL, protocol);
      return this.#upgrade(handshake, headers).catch((error) => {
        this.#cooks.report(error, "onWebSocketRequest");
        return refusal(500);
      });
    } catch (error) {
      cancel(decision);
      this.#cooks.report(error, "onWebSocketRequest");
      return refusal(500);
    }
  }

  async #upgrade({ request, client, peer, uri }: Handshake, headers: Headers): Promise<Response> {
    const { signal } = request;
    this.#slots.taken++;
    for (let turn = 0; turn < TURNS && !signal.aborted; turn++) await turns();
    for (let turn = 0; turn < QUICK_TURNS && !signal.aborted; turn++) await quickTurn();
    this.#slots.taken--;
    if (signal.aborted) return refusal(400, "The client has left");
    if (this.#closed) return refusal(503, "The server stops", { connection: "close" });
    const { socket, response } = upgradeWebSocket(request, this.#parameters().idleTimeout);
    for (const [name, value] of headers) response.headers.append(name, value);
    // Two proxies may forward the same address by the same port.
    const name = client !== peer && this.#open.has(client) ? peer : client;
    this.#held.add(new Connection(socket, name, uri, this.#shared));
    this.#slots.taken++;
    this.#checks ??= this.#startChecks();
    return response;
  }

  #startChecks(): ReturnType<typeof setInterval> {
    const checks = setInterval(() => {
      // By looks and not by a clock: while a callback blocks the process, no client can take anything.
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
      // The address is free again, so the client that had it is gone, though no close has come.
      this.#open.get(client)?.finish();
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
    for (const connection of this.#finishing.keys()) connection.abandon();
    // The interval has stopped, so release them here.
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
  /** The sub-protocol that is picked unless a callback picks another one. */
  readonly protocol: string | undefined;
}

const PROTOCOL = "sec-websocket-protocol";

/** A decision against a WebSocket, without what its dictionary said for it. */
function refusalOf(decision: unknown, protocol: string | undefined): unknown {
  if (!isDictionary(decision)) return decision;
  const { "Sec-WebSocket-Protocol": picked, statusReason, ...others } = decision;
  return {
    ...others,
    ...(picked !== protocol && { "Sec-WebSocket-Protocol": picked }),
    ...(statusReason !== SWITCHING && { statusReason }),
  };
}
