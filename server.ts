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
import { isLoopback } from "./internal/engine/address.ts";
import { print } from "./internal/operator/console.ts";
import { Cooks } from "./internal/operator/cooks.ts";
import { endProcess, onStopSignal, refuseIgnored } from "./internal/operator/deno_serve.ts";
import { isModule } from "./internal/operator/files.ts";
import type { Info } from "./internal/operator/info.ts";
import { Lifecycle } from "./internal/operator/lifecycle.ts";
import { LiveParameters } from "./internal/operator/live_parameters.ts";
import { type ListenAddress, listenAddress } from "./internal/engine/listener.ts";
import { checkBytes, checkClose, checkText } from "./internal/engine/outgoing.ts";
import { changed, checkParameters } from "./internal/operator/parameter_change.ts";
import { defaults, type ParameterChange, type WebServerParameters } from "./internal/operator/parameters.ts";

export type { Info, ListenAddress, ParameterChange, WebServerParameters };
export type { Address } from "./internal/engine/address.ts";

const CLEAR_TEXT =
  'Passwords come in the clear, where others on the network can read them: set parameter "secure", or put a proxy with TLS in front and ' +
  'name it in parameter "trustedProxies"';

/** The columns of the operator's table. */
const COLUMNS = ["client", "uri", "opened", "buffered"];

/**
 * The operator. It is an HTTP, HTTPS and WebSocket server, all on one port, whose answers come from callbacks.
 *
 * `start`, `stop`, `restart` and `set` are carried out one after the other, in the order of their calls. Their promises may be
 * left alone, as Python code does: a failure is reported to `onError`, or else printed, and no rejection goes unhandled. A program that
 * awaits the promise gets the error there, so it is not printed as well. A callback
 * that awaits one of them waits for itself: a stop ends that wait after `shutdownTimeout`.
 */
export class WebServer implements AsyncDisposable {
  readonly #live: LiveParameters;
  readonly #cooks: Cooks;
  readonly #life: Lifecycle;
  #hasWarnedOfClearText = false;

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
    const initial = changed(defaults, given);
    this.#live = new LiveParameters(initial);
    this.#cooks = new Cooks(this, this.#live, isModule(initial.callbacks) ? {} : initial.callbacks);
    this.#life = new Lifecycle(this.#cooks, this.#live, () => this.fetch);
  }

  /** The name of the operator. */
  get name(): string {
    return this.parameters.name;
  }

  /** Whether the server runs. */
  get active(): boolean {
    return this.#life.active;
  }

  /** All parameters as they were asked for; frozen. `password` is there, but nothing that shows the object shows it. */
  get parameters(): WebServerParameters {
    return this.#live.current;
  }

  /** Where the server listens: the port is the real one where 0 was asked for. Undefined while it does not run. */
  get address(): ListenAddress | undefined {
    return this.#life.address;
  }

  /**
   * Starts the server: turns `active` on. The files that parameters name are read first. Nothing happens if it runs.
   *
   * @throws {Deno.errors.AddrInUse} (rejects) if another program has the port
   * @throws {Deno.errors.AddrNotAvailable} (rejects) if `localaddress` is no address of this machine
   * @throws {Deno.errors.PermissionDenied} (rejects) if the system reserves the port
   * @throws {Deno.errors.NotCapable} (rejects) without `--allow-net`, or without `--allow-read` for a file that a parameter names
   * @throws {Error} (rejects) if such a file is missing, or not what it should be
   */
  start(): Promise<void> {
    return this.#life.activate(true);
  }

  /**
   * Stops the server: turns `active` off. New requests are refused, WebSockets closed with 1001, event streams ended, the `signal` of
   * requests aborted, and what else is under way given `shutdownTimeout`. Nothing happens if the server does not run.
   */
  stop(): Promise<void> {
    return this.#life.activate(false);
  }

  /**
   * Stops and starts the server, on the port it has, with callbacks and certificate read anew. They are read first: where that
   * fails, the server goes on as it is. Nothing happens if it does not run.
   *
   * @throws {Error} (rejects) as `start` does
   */
  restart(): Promise<void> {
    return this.#life.restart();
  }

  /**
   * Changes parameters. Most take effect at once, with requests and WebSockets undisturbed. `port`, `localaddress`, `secure` and
   * the certificate restart a server that runs: it listens on a new address before it leaves the old one, and what cannot be had
   * changes nothing.
   *
   * @param change Those to change; what is absent or `undefined` stays
   * @throws {TypeError} (rejects) if there is no such parameter, or its value is of the wrong type; nothing is changed then
   * @throws {RangeError} (rejects) if its value is out of range; nothing is changed then
   * @throws {Error} (rejects) as `start` does; nothing is changed then
   */
  set(change: ParameterChange): Promise<void> {
    // Checked as it is now, though its turn may come later.
    return this.#life.set(Promise.try(checkParameters, change));
  }

  /** Stops the server at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#life.served ? Promise.resolve() : this.stop();
  }

  /** The addresses of the open WebSocket clients. */
  get webSocketConnections(): string[] {
    return this.#life.run.sockets.clients();
  }

  /**
   * Sends a text message.
   *
   * @param client The client's address
   * @returns Whether the message was handed to the socket: false when the client is gone, or more than `maxBufferedAmount` waits for it
   * @throws {TypeError} If `client` is no address, or `data` no string
   */
  webSocketSendText(client: string, data: string): boolean {
    const message = checkText(data);
    return this.#life.run.sockets.find(client)?.send(message) ?? false;
  }

  /**
   * Sends a binary message.
   *
   * @param client The client's address
   * @returns Whether the message was handed to the socket: false when the client is gone, or more than `maxBufferedAmount` waits for it
   * @throws {TypeError} If `client` is no address, or `data` is not bytes
   */
  webSocketSendBinary(client: string, data: ArrayBufferView | ArrayBuffer): boolean {
    const message = checkBytes(data);
    return this.#life.run.sockets.find(client)?.send(message) ?? false;
  }

  /**
   * Sends a message to every open client: text, or bytes.
   *
   * @returns How many clients took it: not those for which more than `maxBufferedAmount` waits
   * @throws {TypeError} If `data` is neither a string nor bytes
   */
  webSocketBroadcast(data: string | ArrayBufferView | ArrayBuffer): number {
    return this.#life.run.sockets.broadcast(typeof data === "string" ? data : checkBytes(data));
  }

  /**
   * Closes a WebSocket. `onWebSocketClose` follows, with this code and reason, also if the client never answers. Nothing happens if
   * the client is gone.
   *
   * @param client The client's address
   * @param code 1000, 1001, 1003, 1007 to 1014, or 3000 to 4999 (RFC 6455, section 7.4)
   * @param reason Up to 123 bytes of UTF-8
   * @throws {TypeError} If `client` is no address, or `reason` no string
   * @throws {RangeError} If the code may not be sent, or the reason is too long
   */
  webSocketClose(client: string, code = 1000, reason = ""): void {
    checkClose(code, reason);
    this.#life.run.sockets.find(client)?.close(code, reason);
  }

  /**
   * Whether the token of an `Authorization` header names a user and that user's password: see
   * {@linkcode authenticateBasic} of `auth.ts`. The first login is worth a warning if passwords cross the network in the clear: unless
   * `secure` is on, a trusted proxy is named, or the server listens on this machine only.
   *
   * @param token `request["Authorization"]`
   * @param userPasswords The password of each user
   * @throws {TypeError} If `userPasswords` is neither a Record nor a Map
   */
  authenticateBasic(token: string | null | undefined, userPasswords: UserPasswords): boolean {
    const isRight = authenticateBasic(token, userPasswords);
    if (isRight && !this.#hasWarnedOfClearText && this.#isInTheClear) {
      this.#hasWarnedOfClearText = true;
      this.#cooks.warn("clear text", CLEAR_TEXT);
    }
    return isRight;
  }

  get #isInTheClear(): boolean {
    const { secure, trustedProxies } = this.parameters;
    return !secure && trustedProxies.length === 0 && this.address !== undefined && !isLoopback(this.address.hostname);
  }

  /**
   * Writes the template's callbacks, with their contract in comments and types, to a new file for an external editor:
   * `<name>_callbacks.ts`, or with another `extension`.
   *
   * @param directory Where to; relative to the working directory
   * @returns The path of the file
   * @throws {Deno.errors.AlreadyExists} (rejects) If there is such a file, which is left as it is
   * @throws {Deno.errors.NotFound} (rejects) If there is no such directory
   * @throws {Deno.errors.NotCapable} (rejects) Without `--allow-write` for the file
   * @throws {RangeError} (rejects) If `customext` is needed, and cannot be that of a TypeScript file
   */
  async exposeCallbacks(directory: string): Promise<string> {
    const { exposeCallbacks } = await import("./internal/files/expose.ts");
    return await exposeCallbacks(directory, this.parameters);
  }

  /** The Info CHOP channels, by the manual's names. Those on cooking are exact from the second call on, if that comes within ten seconds. */
  info(): Info {
    const { total, errors, warnings, clock } = this.#cooks;
    return {
      server_running: this.active ? 1 : 0,
      websocket_connections: this.#life.run.sockets.size,
      num_rows: 1 + this.#life.run.sockets.size,
      num_cols: COLUMNS.length,
      total_cooks: total,
      ...clock.channels(),
      warnings,
      errors,
    };
  }

  /** The table of this operator: a header, and a row for each open WebSocket: its client, `uri`, since when, and bytes that wait to be sent. */
  rows(): string[][] {
    const rows = [...this.#life.run.sockets.connections()].map(({ client, uri, opened, buffered }) => [
      client,
      uri,
      new Date(opened).toISOString(),
      String(buffered),
    ]);
    return [[...COLUMNS], ...rows];
  }

  /** Counts errors and warnings from 0 again. */
  clearErrors(): void {
    this.#cooks.reset();
  }

  /**
   * Answers a request, as `Deno.serve` and `deno serve` want it. It is bound: `export default new WebServer({ callbacks })`
   * is a program for `deno serve`, which owns the listener then: `start`, `stop`, `restart` and the parameters of the listener
   * are refused.
   *
   * It may be wrapped before the start, in a function that sees every request and answer: that is how `--log` does it. An
   * answer is not to be changed, but to be replaced by a new one.
   */
  fetch = (request: Request, info?: Deno.ServeHandlerInfo): Response | Promise<Response> => {
    // A listener of somebody else: with --parallel, `deno serve` calls onListen in the first of its workers only.
    if (info !== undefined && this.#life.fresh) {
      this.#life.serve(undefined);
      if (this.parameters.secure && request.url.startsWith("http:")) {
        this.#cooks.warn("secure", 'Parameter "secure" has no effect: requests come by a listener of another program');
      }
    }
    const { loading, run } = this.#life;
    return loading === undefined ? run.fetch(request, info) : loading.then(() => this.#life.run.fetch(request, info));
  };

  /**
   * For `deno serve`, which says by it where it listens. The server is active from then on, and stops at SIGINT and SIGTERM: WebSockets
   * are closed with 1001, and `onServerStop` is called. With `--parallel` this is called in the first worker only; in the others
   * `address` is undefined, and `onServerStop` is never called.
   *
   * @throws {Error} If parameter `secure`, `port` or `localaddress` asks for what `deno serve` does not do
   */
  readonly onListen = (address: Deno.Addr): void => {
    // `deno serve` listens on Unix sockets too, which have no address of the operator's kind.
    const listening = "hostname" in address ? listenAddress(address.hostname, address.port) : undefined;
    refuseIgnored(this.parameters, listening);
    this.#life.serve(listening);
    onStopSignal(() => void this.#life.endServed().catch(() => {}).finally(() => endProcess(this.parameters)));
    print("log", `${this.name} listens on ${this.address?.url ?? "a Unix socket"}`);
  };
}
