/**
 * `op()` outside of TouchDesigner. A link to a running TouchDesigner lets a callback set parameters, press pulses, write tables and ask
 * questions, as it does in TouchDesigner.
 *
 * The link is a separate small server, for TouchDesigner alone: TouchDesigner is not among the `webSocketConnections` of your server, and
 * no broadcast reaches it. Open the link's address, <http://127.0.0.1:9985/>, in a browser: the page explains what to do in TouchDesigner.
 *
 * @example Callbacks that reach into TouchDesigner
 * ```ts ignore
 * import { WebServer } from "@webserver-dat/server";
 * import { TouchDesigner } from "@webserver-dat/server/touchdesigner";
 *
 * const { op } = new TouchDesigner();
 *
 * const server = new WebServer({
 *   callbacks: {
 *     async onHTTPRequest(_webServer, request, response) {
 *       op("lights").par.Value = Number(request.pars.level);
 *       op("lights").par.Flash.pulse();
 *       op("log").appendRow([request.clientAddress, request.pars.level ?? ""]);
 *       response.data = String(await op("lights").par.Value.eval());
 *       response.statusCode = 200;
 *       return response;
 *     },
 *   },
 * });
 * await server.start();
 * ```
 *
 * @module
 */

import type { ListenAddress } from "./server.ts";
import { Link, type LinkSettings, type ServerParameters } from "./internal/touchdesigner/link.ts";
import { type OP, operator } from "./internal/touchdesigner/operator.ts";

export type {
  Cell,
  CellValue,
  ClearOptions,
  NameOrIndex,
  OP,
  Par,
  Pars,
  VFS,
} from "./internal/touchdesigner/operator.ts";
export type { JSONValue } from "./callbacks.ts";
export type { Address, ListenAddress } from "./server.ts";

/** The options of a {@linkcode TouchDesigner}. All are optional. */
export interface TouchDesignerOptions {
  /**
   * The TCP port that TouchDesigner connects to; 0 takes any free one.
   *
   * @default {9985}
   */
  readonly port?: number;
  /**
   * The address to listen on. `"127.0.0.1"` allows only this machine; any other one, such as `""` for all interfaces, needs a `token`.
   *
   * @default {"127.0.0.1"}
   */
  readonly localaddress?: string;
  /**
   * The secret that TouchDesigner needs to connect: 16 to 200 letters, digits, `-`, `_`, `.` and `~`. It goes into Network Address, as in
   * `192.168.0.7/?token=...`. Without `secure`, anyone on the network along the way can read it.
   */
  readonly token?: string | undefined;
  /**
   * Seconds that TouchDesigner has to answer. After that an operation rejects, though TouchDesigner may still carry it out.
   *
   * @default {5}
   */
  readonly timeout?: number;
  /**
   * The name of the link in messages.
   *
   * @default {"touchdesigner1"}
   */
  readonly name?: string;
  /** Transport layer security; TouchDesigner then needs `wss://` in front of Network Address. See `WebServerParameters`. */
  readonly secure?: boolean;
  /** The file of the private key, with `secure`. */
  readonly privatekey?: string | URL;
  /** The file of the certificate, with `secure`. */
  readonly certificate?: string | URL;
  /**
   * Origins that may connect, in case a WebSocket DAT sends an `Origin` header that is not the server's. Web pages always send theirs.
   *
   * @default {"same"}
   */
  readonly origins?: "same" | readonly string[];
  /**
   * Seconds of silence after which TouchDesigner counts as gone. It answers pings between two frames.
   *
   * @default {30}
   */
  readonly idleTimeout?: number;
  /**
   * The longest message that TouchDesigner may send, in bytes: an answer, a picture.
   *
   * @default {16777216}
   */
  readonly maxMessageSize?: number;
  /** See {@linkcode TouchDesigner.onConnect}. */
  readonly onConnect?: (client: string) => unknown;
  /** See {@linkcode TouchDesigner.onDisconnect}. */
  readonly onDisconnect?: (client: string) => unknown;
  /** See {@linkcode TouchDesigner.onMessage}. */
  // deno-lint-ignore no-explicit-any -- what JSON holds, or bytes
  readonly onMessage?: (name: string, value: any) => unknown;
  /** See {@linkcode TouchDesigner.onWarning}. */
  readonly onWarning?: (message: string) => unknown;
}

const DEFAULTS = { port: 9985, localaddress: "127.0.0.1", name: "touchdesigner1" };
const LONGEST_TIMEOUT = 3600;

/** Options of the link itself; the others are parameters of its server. */
const OWN = ["token", "timeout", "onConnect", "onDisconnect", "onMessage", "onWarning"];

/** The links of this program, by where they listen. */
const links = new Map<string, Link>();

function isLoopback(address: string): boolean {
  return address === "localhost" || address === "::1" || address === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(address);
}

function settingsOf(options: TouchDesignerOptions): LinkSettings & { parameters: typeof DEFAULTS & ServerParameters } {
  const { token, timeout = 5 } = options;
  const given = Object.entries(options).filter(([name, value]) => !OWN.includes(name) && value !== undefined);
  const parameters = { ...DEFAULTS, ...Object.fromEntries(given) };
  if (token !== undefined && !/^[\w.~-]{16,200}$/.test(token)) {
    throw new TypeError(
      "Cannot use the token: it must be 16 to 200 letters, digits, -, _, . and ~, such as crypto.randomUUID() returns",
    );
  }
  if (token === undefined && !isLoopback(parameters.localaddress)) {
    throw new TypeError(
      `Cannot listen on ${JSON.stringify(parameters.localaddress)} without a token: anyone on the network could ` +
        'connect. Set "token", or leave "localaddress" at "127.0.0.1"',
    );
  }
  if (typeof timeout !== "number" || !(timeout > 0 && timeout <= LONGEST_TIMEOUT)) {
    throw new RangeError(
      `Cannot use the timeout ${timeout}: it must be more than 0 and at most ${LONGEST_TIMEOUT} seconds`,
    );
  }
  return { parameters, token, timeout: timeout * 1000 };
}

/**
 * A link to TouchDesigner. It listens from the moment it is made, and accepts one TouchDesigner at a time: a second one replaces the
 * first, and a warning says so.
 *
 * A program needs only one. If it makes another one at the same address, as a callbacks file does when it is saved and reloaded, the new
 * one takes over the connection and the kept values, and the callbacks of the old one are no longer called.
 *
 * Limits: up to 16 MiB of values are kept, and up to 16 MiB of operations may wait; a change may have up to 8 Mi characters or 16 MiB of
 * bytes. Sixty messages a second are sent, or fewer if TouchDesigner is slower; changes are merged meanwhile.
 *
 * @example Values that are sent when TouchDesigner connects
 * ```ts
 * import { TouchDesigner } from "@webserver-dat/server/touchdesigner";
 *
 * await using touchDesigner = new TouchDesigner({ port: 0 });
 * touchDesigner.op("lights").par.Value = 0.5;
 * console.log(touchDesigner.connected); // false
 * ```
 */
export class TouchDesigner implements AsyncDisposable {
  /** Called when TouchDesigner has connected. The values that were set until then are on their way. */
  onConnect: ((client: string) => unknown) | undefined;
  /** Called when TouchDesigner has disconnected. */
  onDisconnect: ((client: string) => unknown) | undefined;
  /**
   * Called for each value that TouchDesigner sends by `op('deno').module.send(name, value)`; bytes are a `Uint8Array`. Messages do not
   * wait for each other: if it is async, the next call may come before it has settled.
   *
   * @example A fader on every phone
   * ```ts ignore
   * touchDesigner.onMessage = (name, value) => server.webSocketBroadcast(JSON.stringify({ [name]: value }));
   * ```
   */
  // deno-lint-ignore no-explicit-any -- what JSON holds, or bytes
  onMessage: ((name: string, value: any) => unknown) | undefined;
  /**
   * Called for each warning: a value that could not be set, an operation that failed and was not awaited, a malformed message. Without
   * it, warnings are printed; of many equal ones, only a few.
   */
  onWarning: ((message: string) => unknown) | undefined;
  readonly #link: Link;
  readonly #place: string;

  /**
   * Makes a link, which listens at once.
   *
   * @param options The ones that differ from their defaults
   * @throws {TypeError} If an option does not exist, its value has the wrong type, or a token is needed
   * @throws {RangeError} If a value is out of range
   */
  constructor(options: TouchDesignerOptions = {}) {
    const settings = settingsOf(options);
    this.onConnect = options.onConnect;
    this.onDisconnect = options.onDisconnect;
    this.onMessage = options.onMessage;
    this.onWarning = options.onWarning;
    const { localaddress, port } = settings.parameters;
    const place = `${localaddress} ${port}`;
    const before = port === 0 ? undefined : links.get(place);
    if (before === undefined) {
      this.#link = new Link(settings, this);
      if (port !== 0) links.set(place, this.#link);
    } else {
      before.adopt(settings, this);
      this.#link = before;
    }
    this.#place = place;
  }

  /**
   * The operator at a path, like `op()` in TouchDesigner. It need not exist yet.
   *
   * A path starts at the component that the link's DATs are in, as in `op("base1/lights")`. An operator outside of that component is
   * reached by its full path, if the Text DAT `deno_allow` in the component lists it. The function works without its object:
   * `const { op } = touchDesigner`.
   *
   * @throws {TypeError} If the path contains anything but names of letters, digits and `_`, with `/` between them
   */
  readonly op = (path: string): OP => operator(this.#link, path);

  /** Whether TouchDesigner is connected. */
  get connected(): boolean {
    return this.#link.client !== undefined;
  }

  /** Where it listens; undefined while it does not. */
  get address(): ListenAddress | undefined {
    return this.#link.server.address;
  }

  /**
   * Resolves when the link listens. It keeps trying while the port is taken, and rejects if it can never listen, for example because a
   * permission is missing.
   */
  get listening(): Promise<void> {
    return this.#link.listening;
  }

  /**
   * Sends a value to the function `onMessage(name, value)` of the Text DAT `deno_messages` next to the link's DATs; resolves with the
   * value that the function returns.
   */
  // deno-lint-ignore no-explicit-any -- what JSON holds
  send(name: string, value: any): Promise<any> {
    const label = `send(${JSON.stringify(name)})`;
    if (typeof name !== "string" || name.length > 1000) {
      throw new TypeError("Cannot send the message: its name must be a string of up to 1000 characters");
    }
    return this.#link.ask(["deno_messages", "message", name], [value], label);
  }

  /** Ends the link: TouchDesigner is disconnected, operations that wait for an answer reject, and the port is free. */
  async close(): Promise<void> {
    if (this.#link.owner !== this) return;
    if (links.get(this.#place) === this.#link) links.delete(this.#place);
    await this.#link.close();
  }

  /** Ends the link at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
