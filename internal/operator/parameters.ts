/** The parameters of the operator: what they mean, what they start as. */

import { type Callbacks, template } from "../../callbacks.ts";

/** The parameters of a {@linkcode WebServer}. */
export interface WebServerParameters {
  /**
   * Whether the server is to run. Only `set()` takes it; constructing a server never starts it.
   *
   * @default {false}
   */
  readonly active: boolean;
  /**
   * The TCP port, 0 to 65535; 0 takes any free one, which a restart keeps.
   *
   * @default {9980}
   */
  readonly port: number;
  /**
   * The address to listen on: an IP address or host name of this machine. Blank listens on all interfaces, for IPv6 and
   * IPv4 clients alike, so that the whole network can connect; `"127.0.0.1"` admits this machine only.
   *
   * @default {""}
   */
  readonly localaddress: string;
  /**
   * Transport layer security: `https:` and `wss:` instead of `http:` and `ws:`, on the same port. Needs `privatekey` and `certificate`.
   *
   * @default {false}
   */
  readonly secure: boolean;
  /**
   * The file of the certificate's private key, in PEM: a path, relative to the working directory, or a `file:` URL. Needs the
   * permission to read this file.
   *
   * @default {""}
   */
  readonly privatekey: string | URL;
  /**
   * The file of the certificate, in PEM, followed by those that lead to its root, if any: a path or a `file:` URL. Needs the permission to
   * read this file.
   *
   * @default {""}
   */
  readonly certificate: string | URL;
  /**
   * The password of the private key. Code can read it; `console.log`, `Deno.inspect`, JSON and error messages never show it.
   *
   * @default {""}
   */
  readonly password: string;
  /**
   * The callbacks: an object of functions, such as the namespace of a module, or the path or URL of a module. Those of an object are
   * looked up when they are due, so a function that is replaced in the object takes over at once. A module is loaded at the start, which
   * needs the permission to read it.
   *
   * @default {template}
   */
  readonly callbacks: Callbacks | string | URL;
  /**
   * The language of a callbacks file: `"input"` is what its extension says, `"node"` is TypeScript whatever its name, so that
   * `webserver1_callbacks.dat` works.
   *
   * @default {"node"}
   */
  readonly language: "input" | "node";
  /**
   * The extension of the file that `exposeCallbacks()` writes for an external editor: `.dat`, that of the language (`.ts`), or `customext`.
   *
   * @default {"language"}
   */
  readonly extension: "dat" | "language" | "custom";
  /**
   * The custom extension, without a dot.
   *
   * @default {""}
   */
  readonly customext: string;
  /**
   * Whether a viewer of the callbacks text wraps its lines: `"on"`, `"off"`, or `"input"`, as the viewer is set. The server itself shows no text.
   *
   * @default {"input"}
   */
  readonly wordwrap: "input" | "on" | "off";
  /**
   * The name of the operator, in the template's answer, in messages and file names: letters, digits and underscores.
   *
   * @default {"webserver1"}
   */
  readonly name: string;
  /**
   * Whether to take the callbacks file and the certificate anew when they are saved, with requests and WebSockets undisturbed in the
   * case of callbacks. A file that cannot be used leaves the old one at work and counts an error.
   *
   * @default {false}
   */
  readonly watch: boolean;
  /**
   * Which web pages may open a WebSocket or send anything but GET, HEAD and OPTIONS. Others get 403, and a warning names what would
   * admit them. Requests without an `Origin` header, which do not come from web pages, are always admitted.
   *
   * - `"same"`: pages from the host and port they ask, over https if `secure`. The loopback names `localhost`, `127.0.0.1` and `[::1]`
   *   count as one host. `Origin: file://`, which no web page can send, is admitted: ESP32 libraries, Electron and Cordova send it.
   * - a list of `"same"` and origins, such as `["same", "http://192.168.0.7:8080", "app://panel"]`: in lower case, without a path.
   * - `"any"`: all.
   *
   * @default {"same"}
   */
  readonly origins: "same" | "any" | readonly string[];
  /**
   * Proxies whose `X-Forwarded-For` header is trusted: IP addresses, networks such as `"10.0.0.0/8"` and `"fd00::/8"`, and `"loopback"`
   * for all addresses of this machine for itself. `clientAddress` has the address forwarded, with the port of the proxy's connection.
   *
   * @default {[]}
   */
  readonly trustedProxies: readonly string[];
  /**
   * The largest request body, in bytes. Larger ones get 413, and are not kept.
   *
   * @default {16777216}
   */
  readonly maxBodySize: number;
  /**
   * The most memory for all request bodies held at once, in bytes, counted as they arrive. A body that would go over it gets 503.
   *
   * @default {268435456}
   */
  readonly maxBodyMemory: number;
  /**
   * The most fields and files in a form that `request.formData()` parses; more get 413. They are counted before the form is parsed.
   *
   * @default {1000}
   */
  readonly maxFormFields: number;
  /**
   * How a callback gets the body: `"buffer"` whole, as `request.data`; `"stream"` at once, as `request.raw.body`, for uploads larger
   * than memory: `request.data` is empty then, and `text()`, `json()` and `formData()` read the stream.
   *
   * @default {"buffer"}
   */
  readonly body: "buffer" | "stream";
  /**
   * Seconds that a body may make no progress (408), and that an async callback may take (503; a WebSocket callback is abandoned, and the
   * next one runs). A body that comes slowly is not cut as long as it brings 512 bytes a second on average. 0 is no limit.
   *
   * @default {60}
   */
  readonly requestTimeout: number;
  /**
   * The most WebSockets at once, those being asked by `onWebSocketRequest` and those given up but not yet gone included. Further
   * ones get 503.
   *
   * @default {1024}
   */
  readonly maxConnections: number;
  /**
   * The largest WebSocket message taken, in bytes. A larger one closes its connection with 1009. The runtime has put the message together
   * by then, and refuses frames of 64 MiB and more itself.
   *
   * @default {16777216}
   */
  readonly maxMessageSize: number;
  /**
   * Bytes that may wait for one WebSocket client; each message counts 1,024 bytes more than its data, which is what it costs. While more
   * waits to be sent to it, sends are refused. When more waits for an async callback to handle it, the client is closed with 1008; one
   * message of `maxMessageSize` may always wait.
   *
   * @default {4194304}
   */
  readonly maxBufferedAmount: number;
  /**
   * Seconds, 0 to 3600, after which a client is dropped: a WebSocket client that answers no ping or reads nothing of what is sent to it, and
   * one that reads less than 64 KiB of its answer in that time. A large WebSocket message has a second more for each 64 KiB. 0 is never. New
   * WebSockets get it.
   *
   * @default {30}
   */
  readonly idleTimeout: number;
  /**
   * Seconds that a stop leaves to what is under way.
   *
   * @default {5}
   */
  readonly shutdownTimeout: number;
}

/** Parameters to change; `undefined` is taken as absent. */
export type ParameterChange = { readonly [Name in keyof WebServerParameters]?: WebServerParameters[Name] | undefined };

const MiB = 1 << 20;

/** What a new operator starts with. */
export const defaults: WebServerParameters = Object.freeze<WebServerParameters>({
  active: false,
  port: 9980,
  localaddress: "",
  secure: false,
  privatekey: "",
  certificate: "",
  password: "",
  callbacks: template,
  language: "node",
  extension: "language",
  customext: "",
  wordwrap: "input",
  name: "webserver1",
  watch: false,
  origins: "same",
  trustedProxies: Object.freeze([]),
  maxBodySize: 16 * MiB,
  maxBodyMemory: 256 * MiB,
  maxFormFields: 1000,
  body: "buffer",
  requestTimeout: 60,
  maxConnections: 1024,
  maxMessageSize: 16 * MiB,
  maxBufferedAmount: 4 * MiB,
  idleTimeout: 30,
  shutdownTimeout: 5,
});

/** The names of the callbacks. */
export const CALLBACK_NAMES: readonly (keyof Callbacks)[] = [
  ...Object.keys(template) as (keyof Callbacks)[],
  "onWebSocketRequest",
  "onError",
];

/** All parameters at one time; frozen. */
class Snapshot {
  // Neither a property nor one of a prototype that is listed, so that nothing which shows the object shows it.
  readonly #password: string;

  constructor(parameters: WebServerParameters) {
    const { password, ...others } = parameters;
    Object.assign(this, others);
    this.#password = password;
    Object.freeze(this);
  }

  get password(): string {
    return this.#password;
  }

  /** `Deno.inspect` and `node:util` show the getters of a prototype too where they are told to show all. */
  [Symbol.for("nodejs.util.inspect.custom")](
    _depth: number,
    options: Deno.InspectOptions,
    inspect: typeof Deno.inspect,
  ) {
    return inspect({ ...this }, options);
  }
}

/** The parameters after a change; frozen, lists included. */
export function changed(before: WebServerParameters, change: Partial<WebServerParameters>): WebServerParameters {
  const after = { ...before, password: before.password, ...change };
  after.trustedProxies = Object.freeze([...after.trustedProxies]);
  if (typeof after.origins !== "string") after.origins = Object.freeze([...after.origins]);
  return new Snapshot(after) as unknown as WebServerParameters;
}
