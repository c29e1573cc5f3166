/**
 * The server: parameters in, a `Deno.serve` out.
 *
 * @example
 * ```ts
 * import { WebServer } from "@webserver-dat/server/server";
 *
 * await using server = new WebServer({ port: 0 });
 * await server.start();
 * const answer = await fetch(server.address!.url);
 * console.log(await answer.text()); // <b>TouchDesigner: </b>webserver1
 * ```
 *
 * @module
 */

import { authenticateBasic, type UserPasswords } from "./auth.ts";
import { Cooks } from "./internal/cook.ts";
import { listen, type ListenAddress, listenAddress, type Listener } from "./internal/listener.ts";
import { checkParameters, defaults, type ParameterChange, type WebServerParameters } from "./internal/parameters.ts";
import { headerOf } from "./internal/headers.ts";
import { Requests } from "./internal/http.ts";
import { BadRequest } from "./internal/request.ts";
import { refusal } from "./internal/response.ts";
import { asksForWebSocket, checkClose, WebSockets } from "./internal/websocket.ts";
import { within } from "./internal/within.ts";

export type { ListenAddress, ParameterChange, WebServerParameters };
export type { Address } from "./internal/address.ts";

/** Milliseconds that a stop waits for answers and callbacks under way, and then for `onServerStop`. */
const SHUTDOWN_TIMEOUT = 5_000;

/** Where requests come from that came by no listener of ours. */
const NOWHERE: ListenAddress = listenAddress("0.0.0.0", 0);

/** The Info CHOP channels. */
export interface Info {
  /** 1 while the server is active, else 0. */
  server_running: number;
  /** Open WebSocket connections. */
  websocket_connections: number;
  /** Callbacks run since the server was made. */
  total_cooks: number;
  /** Warnings since the last start. */
  warnings: number;
  /** Errors since the last start. */
  errors: number;
}

/**
 * - `stopped`: no listener
 * - `running`: a listener of our own
 * - `stopping`: as `running`, but every request is answered 503
 * - `served`: `deno serve` has the listener
 */
type State = "stopped" | "running" | "stopping" | "served";

/**
 * The operator. It is an HTTP and WebSocket server, both on one port, whose answers come from callbacks.
 *
 * `start`, `stop`, `restart` and `set` are carried out one after the other, in the order of their calls. Their promises may be
 * left alone, as Python code does: `onError` hears of a failure in any case, and no rejection goes unhandled. A callback
 * that awaits one of them waits for itself: a stop ends that wait after five seconds.
 */
export class WebServer implements AsyncDisposable {
  #parameters: Readonly<WebServerParameters>;
  #state: State = "stopped";
  #listener: Listener | undefined;
  #address: ListenAddress | undefined;
  #transitions: Promise<unknown> = Promise.resolve();
  readonly #cooks = new Cooks(this);
  #requests = new Requests(this.#cooks);
  #sockets = this.#newSockets();

  /**
   * Makes a server that does not run yet.
   *
   * @param parameters Those that differ from their defaults; all but `active`
   * @throws {TypeError} If there is no such parameter, or its value is of the wrong type
   * @throws {RangeError} If its value is out of range
   */
  constructor(parameters: Omit<ParameterChange, "active"> = {}) {
    const given: Partial<WebServerParameters> = checkParameters(parameters);
    if (given.active) {
      throw new TypeError('Cannot set parameter "active" when making a server: call start(), or set({ active: true })');
    }
    this.#parameters = Object.freeze({ ...defaults, ...given });
  }

  /** The name of the operator. */
  get name(): string {
    return this.#parameters.name;
  }

  /** Whether the server runs. */
  get active(): boolean {
    return this.#state === "running" || this.#state === "served";
  }

  /** All parameters as they were asked for; frozen. */
  get parameters(): Readonly<WebServerParameters> {
    return this.#parameters;
  }

  /** Where the server listens: the port is the real one where 0 was asked for. Undefined while it does not run. */
  get address(): ListenAddress | undefined {
    return this.#address;
  }

  /**
   * Starts the server: turns `active` on. Nothing happens if it runs.
   *
   * @throws {Deno.errors.AddrInUse} (rejects) if another program has the port
   * @throws {Deno.errors.AddrNotAvailable} (rejects) if `localaddress` is no address of this machine
   * @throws {Deno.errors.PermissionDenied} (rejects) if the system reserves the port
   * @throws {Deno.errors.NotCapable} (rejects) without `--allow-net`
   */
  start(): Promise<void> {
    return this.#transition("start", () => this.#activate(true));
  }

  /**
   * Stops the server: turns `active` off. New requests are refused, WebSockets closed with 1001, and async callbacks and their
   * answers given five seconds; what a callback that is not async has handed over to be sent may be cut. Nothing happens
   * if the server does not run.
   */
  stop(): Promise<void> {
    return this.#transition("stop", () => this.#activate(false));
  }

  /**
   * Stops and starts the server, on the port it has. Nothing happens if it does not run.
   *
   * @throws {Error} (rejects) as `start` does; the server is stopped then
   */
  restart(): Promise<void> {
    return this.#transition("restart", async () => {
      this.#refuseIfServed();
      if (this.#state !== "running") return;
      const { port } = this.#address!;
      await this.#close();
      this.#open(this.#parameters, port);
    });
  }

  /**
   * Changes parameters. `callbacks` and `name` take effect at once, with requests and WebSockets undisturbed; `port` and
   * `localaddress` restart a server that runs: it listens on the new address before it leaves the old one.
   *
   * @param change Those to change; what is absent or `undefined` stays
   * @throws {TypeError} (rejects) if there is no such parameter, or its value is of the wrong type; nothing is changed then
   * @throws {RangeError} (rejects) if its value is out of range; nothing is changed then
   * @throws {Error} (rejects) as `start` does; nothing is changed then
   */
  set(change: ParameterChange): Promise<void> {
    // Checked as it is now, though its turn may come later.
    const checked = Promise.try(checkParameters, change);
    checked.catch(() => {});
    return this.#transition("set", async () => await this.#apply(await checked));
  }

  /** Stops the server at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#state === "served" ? Promise.resolve() : this.stop();
  }

  /** The addresses of the open WebSocket clients. */
  get webSocketConnections(): string[] {
    return this.#sockets.clients();
  }

  /**
   * Sends a text message.
   *
   * @param client The client's address
   * @returns Whether the message was handed to the socket: false when the client is gone
   * @throws {TypeError} If `client` is no address, or `data` no string
   */
  webSocketSendText(client: string, data: string): boolean {
    if (typeof data !== "string") {
      throw new TypeError(`Cannot send text to ${client}: the data is not a string, but a ${typeof data}`);
    }
    return this.#sockets.find(client)?.send(data) ?? false;
  }

  /**
   * Sends a binary message.
   *
   * @param client The client's address
   * @returns Whether the message was handed to the socket: false when the client is gone
   * @throws {TypeError} If `client` is no address, or `data` is not bytes
   */
  webSocketSendBinary(client: string, data: Uint8Array | ArrayBuffer): boolean {
    if (!(data instanceof ArrayBuffer || ArrayBuffer.isView(data))) {
      throw new TypeError(`Cannot send bytes to ${client}: the data is not a Uint8Array, but a ${typeof data}`);
    }
    return this.#sockets.find(client)?.send(data as Uint8Array<ArrayBuffer>) ?? false;
  }

  /**
   * Closes a WebSocket. `onWebSocketClose` follows, with this code and reason. Nothing happens if the client is gone.
   *
   * @param client The client's address
   * @param code 1000, 1001, 1003, 1007 to 1014, or 3000 to 4999 (RFC 6455, section 7.4)
   * @param reason Up to 123 bytes of UTF-8
   * @throws {TypeError} If `client` is no address
   * @throws {RangeError} If the code may not be sent, or the reason is too long
   */
  webSocketClose(client: string, code = 1000, reason = ""): void {
    checkClose(code, reason);
    this.#sockets.find(client)?.close(code, reason);
  }

  /**
   * Whether the token of an `Authorization` header names a user and that user's password: see
   * {@linkcode authenticateBasic} of `auth.ts`.
   *
   * @param token `request["Authorization"]`
   * @param userPasswords The password of each user
   * @throws {TypeError} If `userPasswords` is neither a Record nor a Map
   */
  authenticateBasic(token: string | null | undefined, userPasswords: UserPasswords): boolean {
    return authenticateBasic(token, userPasswords);
  }

  /** The Info CHOP channels, by the manual's names. */
  info(): Info {
    return {
      server_running: this.active ? 1 : 0,
      websocket_connections: this.#sockets.size,
      total_cooks: this.#cooks.total,
      warnings: this.#cooks.warnings,
      errors: this.#cooks.errors,
    };
  }

  /**
   * Answers a request, as `Deno.serve` and `deno serve` want it. It is bound: `export default new WebServer({ callbacks })`
   * is a program for `deno serve`, which owns the listener then: `start`, `stop`, `restart` and the parameters of the listener
   * are refused.
   */
  readonly fetch = (request: Request, info?: Deno.ServeHandlerInfo): Response | Promise<Response> => {
    if (this.#state === "stopping") return refusal(503, "The server stops", { connection: "close" });
    const upgrade = headerOf(request, "upgrade");
    if (upgrade !== null && asksForWebSocket(upgrade)) return this.#accept(request, info);
    return this.#requests.answer(request, info, this.#address ?? NOWHERE);
  };

  /** For `deno serve`, which says by it where it listens; the server is active from then on. */
  readonly onListen = (address: Deno.Addr): void => {
    // `deno serve` listens on Unix sockets too, which have no address of the operator's kind.
    if ("hostname" in address) this.#address = listenAddress(address.hostname, address.port);
    this.#started("served");
    console.log(`${this.name} listens on ${this.#address?.url ?? "a Unix socket"}`);
  };

  #accept(request: Request, info: Deno.ServeHandlerInfo | undefined): Response {
    try {
      return this.#sockets.accept(request, info);
    } catch (error) {
      if (error instanceof BadRequest) return refusal(400, error.message);
      throw error;
    }
  }

  #newSockets(): WebSockets {
    return new WebSockets({
      open: (client, uri) => this.#cooks.run("onWebSocketOpen", client, uri),
      text: (client, data) => this.#cooks.run("onWebSocketReceiveText", client, data),
      binary: (client, data) => this.#cooks.run("onWebSocketReceiveBinary", client, data),
      close: (client, code, reason) => this.#cooks.run("onWebSocketClose", client, code, reason),
    });
  }

  /** Queues a change of state. Its rejection is handled here, for those who do not await it. */
  #transition(name: string, step: () => Promise<void>): Promise<void> {
    const result = this.#transitions.then(step);
    this.#transitions = result.catch((error) => this.#cooks.report(error, name));
    return result;
  }

  #refuseIfServed(): void {
    if (this.#state === "served") {
      throw new Error("Cannot start, stop or move this server: `deno serve` owns its listener, by --port and --host");
    }
  }

  #activate(active: boolean): Promise<void> {
    this.#refuseIfServed();
    return this.#apply({ active });
  }

  async #apply(change: Partial<WebServerParameters>): Promise<void> {
    const before = this.#parameters;
    const wanted = Object.freeze({ ...before, ...change });
    const moved = wanted.localaddress !== before.localaddress ||
      (wanted.port !== before.port && wanted.port !== this.#address?.port);
    if (moved || wanted.active !== before.active) this.#refuseIfServed();
    if (this.#state === "stopped") {
      if (wanted.active) this.#open(wanted);
      else this.#parameters = wanted;
    } else if (!wanted.active) {
      await this.#close();
      this.#parameters = wanted;
    } else if (moved) {
      await this.#move(wanted);
    } else {
      this.#parameters = wanted;
    }
  }

  /** Listens on the new address before the old one is left, so that one which cannot be had changes nothing. */
  async #move(wanted: Readonly<WebServerParameters>): Promise<void> {
    const before = this.#parameters;
    const { port } = this.#address!;
    const wantedPort = wanted.port === before.port ? port : wanted.port;
    let next: Listener | undefined;
    try {
      next = this.#listen(wanted.localaddress, wantedPort);
    } catch (error) {
      // The port may be taken by ourselves, on an address that overlaps; then the old one has to be left first.
      if (!(error instanceof Deno.errors.AddrInUse && wantedPort === port)) throw error;
    }
    await this.#close();
    try {
      this.#open(wanted, wantedPort, next);
    } catch (error) {
      this.#open(before, port);
      throw error;
    }
  }

  #listen(localaddress: string, port: number): Listener {
    return listen({ localaddress, port }, this.fetch, (error) => {
      this.#cooks.report(error, "onHTTPRequest");
      return refusal(500);
    });
  }

  #open(
    wanted: Readonly<WebServerParameters>,
    port = wanted.port,
    listener = this.#listen(wanted.localaddress, port),
  ): void {
    this.#listener = listener;
    this.#address = listener.address;
    this.#parameters = wanted;
    this.#started("running");
    listener.finished.catch((error) => {
      if (this.#listener !== listener) return;
      this.#cooks.report(new Error(`The listener ended, and is opened again: ${error.message}`), "restart");
      this.restart();
    });
  }

  #started(state: "running" | "served"): void {
    this.#sockets = this.#newSockets();
    this.#requests = new Requests(this.#cooks);
    this.#cooks.reset();
    this.#parameters = Object.freeze({ ...this.#parameters, active: true });
    this.#state = state;
    this.#cooks.run("onServerStart");
  }

  async #close(): Promise<void> {
    const listener = this.#listener!;
    this.#state = "stopping";
    await within(SHUTDOWN_TIMEOUT, Promise.all([this.#sockets.close(1001, "The server stops"), this.#requests.idle()]));
    // An answer that is just given reaches the socket one turn of the event loop later.
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#listener = undefined;
    await listener.close();
    this.#parameters = Object.freeze({ ...this.#parameters, active: false });
    await within(SHUTDOWN_TIMEOUT, Promise.resolve(this.#cooks.run("onServerStop")));
    this.#address = undefined;
    this.#state = "stopped";
  }
}
