/**
 * The server: parameters go in, a `Deno.serve` comes out.
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
  'Passwords are sent unencrypted, so others on the network can read them: set parameter "secure", or put a proxy with TLS in front and ' +
  'list it in parameter "trustedProxies"';

/** The columns of the operator's table. */
const COLUMNS = ["client", "uri", "opened", "buffered"];

/**
 * The operator: an HTTP, HTTPS and WebSocket server on one port, whose answers come from callbacks.
 *
 * `start`, `stop`, `restart` and `set` run one after the other, in the order in which they were called. You need not await
 * their promises, just as in Python: a failure is reported to `onError` or else printed, and never becomes an unhandled
 * rejection. If you await one at once, the error arrives there, and is not printed as well. A callback that awaits one of them waits for
 * itself; a stop ends that wait after `shutdownTimeout`.
 */
export class WebServer implements AsyncDisposable {
  readonly #live: LiveParameters;
  readonly #cooks: Cooks;
  readonly #life: Lifecycle;
  #hasWarnedOfClearText = false;

  /**
   * Makes a server without starting it.
   *
   * @param parameters The ones that differ from their defaults; any but `active`
   * @throws {TypeError} If a parameter does not exist, or its value has the wrong type
   * @throws {RangeError} If a value is out of range
   */
  constructor(parameters: Omit<ParameterChange, "active"> = {}) {
    const given: Partial<WebServerParameters> = checkParameters(parameters);
    if (given.active) {
      throw new TypeError('Cannot set parameter "active" when making a server: call start(), or set({ active: true })');
    }
    const initial = changed(defaults, given);
    this.#live = new LiveParameters(initial);
    this.#cooks = new Cooks(this, this.#live, isModule(initial.callbacks) ? {} : initial.callbacks);
    const { fetch } = this;
    const serve: Deno.ServeHandler = (request, info) => this.#answer(request, info, true);
    // If nobody has wrapped `fetch`, only Deno reads the answers of this server's own listener.
    this.#life = new Lifecycle(this.#cooks, this.#live, () => this.fetch === fetch ? serve : this.fetch);
  }

  /** The name of the operator. */
  get name(): string {
    return this.parameters.name;
  }

  /** Whether the server is running. */
  get active(): boolean {
    return this.#life.active;
  }

  /** All parameters as they were set; frozen. `password` is included, but is not shown when the object is printed. */
  get parameters(): WebServerParameters {
    return this.#live.current;
  }

  /** Where the server listens, with the actual port if parameter `port` is 0. Undefined while it is not running. */
  get address(): ListenAddress | undefined {
    return this.#life.address;
  }

  /**
   * Starts the server: turns `active` on. The files that parameters name are read first. Nothing happens if it is running already.
   *
   * @throws {Deno.errors.AddrInUse} (rejects) if another program uses the port
   * @throws {Deno.errors.AddrNotAvailable} (rejects) if `localaddress` is not an address of this machine
   * @throws {Deno.errors.PermissionDenied} (rejects) if the system reserves the port
   * @throws {Deno.errors.NotCapable} (rejects) without `--allow-net`, or without `--allow-read` for a file that a parameter names
   * @throws {Error} (rejects) if such a file is missing or invalid
   */
  start(): Promise<void> {
    return this.#life.activate(true);
  }

  /**
   * Stops the server: turns `active` off. New requests are refused, WebSockets are closed with 1001, event streams end, the `signal` of
   * requests aborts, and everything else under way gets `shutdownTimeout` to finish. Nothing happens if the server is not running.
   */
  stop(): Promise<void> {
    return this.#life.activate(false);
  }

  /**
   * Stops and starts the server on the same port, with callbacks and certificate read again. They are read first: if that fails, the
   * server keeps running unchanged. Nothing happens if it is not running.
   *
   * @throws {Error} (rejects) as `start` does
   */
  restart(): Promise<void> {
    return this.#life.restart();
  }

  /**
   * Changes parameters. Most take effect at once, without disturbing requests and WebSockets. A change of `port`, `localaddress`,
   * `secure`, `compression` or the certificate restarts a running server: it listens on a new address before it leaves the old one, and if that fails,
   * nothing changes.
   *
   * @param change The parameters to change; one that is absent or `undefined` stays as it is
   * @throws {TypeError} (rejects) if a parameter does not exist, or its value has the wrong type; nothing is changed then
   * @throws {RangeError} (rejects) if a value is out of range; nothing is changed then
   * @throws {Error} (rejects) as `start` does; nothing is changed then
   */
  set(change: ParameterChange): Promise<void> {
    // Check it now, since the caller may change the object before its turn comes.
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
   * @returns Whether the message was handed to the socket: false if the client is gone, or if more than `maxBufferedAmount` waits for it
   * @throws {TypeError} If `client` is not an address, or `data` is not a string
   */
  webSocketSendText(client: string, data: string): boolean {
    const message = checkText(data);
    return this.#life.run.sockets.find(client)?.send(message) ?? false;
  }

  /**
   * Sends a binary message.
   *
   * @param client The client's address
   * @returns Whether the message was handed to the socket: false if the client is gone, or if more than `maxBufferedAmount` waits for it
   * @throws {TypeError} If `client` is not an address, or `data` is not bytes
   */
  webSocketSendBinary(client: string, data: ArrayBufferView | ArrayBuffer): boolean {
    const message = checkBytes(data);
    return this.#life.run.sockets.find(client)?.send(message) ?? false;
  }

  /**
   * Sends a message to every open client: text, or bytes.
   *
   * @returns How many clients it was sent to: those for which more than `maxBufferedAmount` waits are left out
   * @throws {TypeError} If `data` is neither a string nor bytes
   */
  webSocketBroadcast(data: string | ArrayBufferView | ArrayBuffer): number {
    return this.#life.run.sockets.broadcast(typeof data === "string" ? data : checkBytes(data));
  }

  /**
   * Closes a WebSocket. `onWebSocketClose` follows, with this code and reason, even if the client never answers. Nothing happens if
   * the client is gone.
   *
   * @param client The client's address
   * @param code 1000, 1001, 1003, 1007 to 1014, or 3000 to 4999 (RFC 6455, section 7.4)
   * @param reason Up to 123 bytes of UTF-8
   * @throws {TypeError} If `client` is not an address, or `reason` is not a string
   * @throws {RangeError} If the code must not be sent, or the reason is too long
   */
  webSocketClose(client: string, code = 1000, reason = ""): void {
    checkClose(code, reason);
    this.#life.run.sockets.find(client)?.close(code, reason);
  }

  /**
   * Whether the token of an `Authorization` header holds the name of a user and that user's password: see
   * {@linkcode authenticateBasic} of `auth.ts`. The first login causes a warning if passwords cross the network unencrypted: unless
   * `secure` is on, a trusted proxy is listed, or the server listens on this machine only.
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
   * @param directory The directory to write to, relative to the working directory
   * @returns The path of the file
   * @throws {Deno.errors.AlreadyExists} (rejects) If the file already exists; it is not changed
   * @throws {Deno.errors.NotFound} (rejects) If the directory does not exist
   * @throws {Deno.errors.NotCapable} (rejects) Without `--allow-write` for the file
   * @throws {RangeError} (rejects) If `customext` is needed, and cannot be the extension of a TypeScript file
   */
  async exposeCallbacks(directory: string): Promise<string> {
    const { exposeCallbacks } = await import("./internal/files/expose.ts");
    return await exposeCallbacks(directory, this.parameters);
  }

  /**
   * The Info CHOP channels, by the manual's names. Cook channels are accurate from the second call, if it comes within ten seconds of
   * the first.
   */
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

  /** The operator's table: a header row, and for each open WebSocket a row with its client, `uri`, time of opening, and unsent bytes. */
  rows(): string[][] {
    const rows = [...this.#life.run.sockets.connections()].map(({ client, uri, opened, buffered }) => [
      client,
      uri,
      new Date(opened).toISOString(),
      String(buffered),
    ]);
    return [[...COLUMNS], ...rows];
  }

  /** Resets the counts of errors and warnings to 0. */
  clearErrors(): void {
    this.#cooks.reset();
  }

  /**
   * Answers a request: a handler for `Deno.serve` and `deno serve`. It is bound, so `export default new WebServer({ callbacks })`
   * is a program for `deno serve`. The listener then belongs to `deno serve`: `start`, `stop`, `restart` and the parameters of the
   * listener are refused.
   *
   * You may wrap it before the start, in a function that sees every request and answer, as `--log` does. Don't mutate the
   * answer; return a new one.
   */
  fetch = (request: Request, info?: Deno.ServeHandlerInfo): Response | Promise<Response> => {
    // The listener is not ours: with --parallel, `deno serve` calls onListen in the first of its workers only.
    if (info !== undefined && this.#life.fresh) {
      this.#life.serve(undefined);
      if (this.parameters.secure && request.url.startsWith("http:")) {
        this.#cooks.warn("secure", 'Parameter "secure" has no effect: the listener does not belong to this server');
      }
      if (this.parameters.compression) {
        this.#cooks.warn(
          "compression",
          'Parameter "compression" has no effect: the listener does not belong to this server',
        );
      }
    }
    return this.#answer(request, info, false);
  };

  /** @param isReadByDeno Whether only Deno reads the answer */
  #answer(
    request: Request,
    info: Deno.ServeHandlerInfo | undefined,
    isReadByDeno: boolean,
  ): Response | Promise<Response> {
    const { loading, run } = this.#life;
    if (loading === undefined) return run.fetch(request, info, isReadByDeno);
    return loading.then(() => this.#life.run.fetch(request, info, isReadByDeno));
  }

  /**
   * `deno serve` calls this with the address that it listens on. The server is active from then on, and stops at SIGINT and SIGTERM:
   * WebSockets are closed with 1001, and `onServerStop` is called. With `--parallel` this is called in the first worker only; in the
   * others `address` is undefined, and `onServerStop` is never called.
   *
   * @throws {Error} If parameter `secure`, `compression`, `port` or `localaddress` asks for something that `deno serve` does not do
   */
  readonly onListen = (address: Deno.Addr): void => {
    // `deno serve` can listen on Unix sockets too, which have neither host nor port.
    const listening = "hostname" in address ? listenAddress(address.hostname, address.port) : undefined;
    refuseIgnored(this.parameters, listening);
    this.#life.serve(listening);
    onStopSignal(() => void this.#life.endServed().catch(() => {}).finally(() => endProcess(this.parameters)));
    print("log", `${this.name} listens on ${this.address?.url ?? "a Unix socket"}`);
  };
}
