/**
 * The parameters of the operator. To add one, add it to the interface with its documentation, and to the table below.
 *
 * @module
 */

import type { Callbacks } from "../../callbacks.ts";
import { template } from "./default_callbacks.ts";
import * as kinds from "./kinds.ts";

/** The parameters of a {@linkcode WebServer}. */
export interface WebServerParameters {
  /**
   * Whether the server runs. Only `set()` takes it; constructing a server never starts it.
   *
   * @default {false}
   */
  readonly active: boolean;
  /**
   * The TCP port, 0 to 65535. With 0 the system picks a free one, which a restart keeps.
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
   * The PEM file with the certificate's private key: a path, relative to the working directory, or a `file:` URL. Needs the permission
   * to read this file.
   *
   * @default {""}
   */
  readonly privatekey: string | URL;
  /**
   * The PEM file with the certificate, followed by its intermediate certificates if there are any: a path or a `file:` URL. Needs the
   * permission to read this file.
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
   * The callbacks: an object of functions, such as the namespace of a module, or the path or URL of a module. A callback in an object is
   * looked up each time it is called, so you can replace it at any time. A module is loaded when the server starts, which needs the
   * permission to read it.
   *
   * @default {template}
   */
  readonly callbacks: Callbacks | string | URL;
  /**
   * The language of a callbacks file: `"input"` goes by its extension, `"node"` reads every file as TypeScript, so that
   * `webserver1_callbacks.dat` works.
   *
   * @default {"node"}
   */
  readonly language: "input" | "node";
  /**
   * The extension of the file that `exposeCallbacks()` writes for an external editor: `.dat`, the extension of the language (`.ts`), or
   * `customext`.
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
   * Whether a viewer of the callbacks text wraps its lines: `"on"`, `"off"`, or `"input"` for the viewer's own setting. The server
   * itself does not show the text.
   *
   * @default {"input"}
   */
  readonly wordwrap: "input" | "on" | "off";
  /**
   * The name of the operator: letters, digits and underscores. The template's answer, messages and file names contain it.
   *
   * @default {"webserver1"}
   */
  readonly name: string;
  /**
   * Whether to reload the callbacks file and the certificate when they change on disk. New callbacks do not disturb requests and
   * WebSockets. If a changed file cannot be used, the server keeps what it has and counts an error.
   *
   * @default {false}
   */
  readonly watch: boolean;
  /**
   * Which web pages may open a WebSocket or send anything but GET, HEAD and OPTIONS. Other pages get 403, and a warning names the value
   * that would admit them. Requests without an `Origin` header, which do not come from web pages, are always admitted.
   *
   * - `"same"`: pages from the host and port that the request goes to, over https if `secure`. The loopback names `localhost`, `127.0.0.1` and `[::1]`
   *   count as one host. `Origin: file://` is admitted: ESP32 libraries, Electron and Cordova send it, and no web page can.
   * - a list of `"same"` and origins, such as `["same", "http://192.168.0.7:8080", "app://panel"]`: in lower case, without a path.
   * - `"any"`: all pages.
   *
   * @default {"same"}
   */
  readonly origins: "same" | "any" | readonly string[];
  /**
   * Proxies whose `X-Forwarded-For` header is trusted: IP addresses, networks such as `"10.0.0.0/8"` and `"fd00::/8"`, and `"loopback"`
   * for this machine itself. `clientAddress` is the address that they forward, with the port of the proxy's connection.
   *
   * @default {[]}
   */
  readonly trustedProxies: readonly string[];
  /**
   * The largest request body, in bytes. A larger one gets 413, and is not kept.
   *
   * @default {16777216}
   */
  readonly maxBodySize: number;
  /**
   * The most memory for all request bodies at once, in bytes, counted as they arrive: a body whose length is known counts as a whole once
   * an eighth of it is there. A body that would exceed it gets 503.
   *
   * @default {268435456}
   */
  readonly maxBodyMemory: number;
  /**
   * The most fields and files in a form that `request.formData()` parses; a form with more gets 413. They are counted before the form
   * is parsed.
   *
   * @default {1000}
   */
  readonly maxFormFields: number;
  /**
   * Whether answers are compressed for clients that accept it: text, JSON, scripts and the like, by brotli or gzip, as `Deno.serve` does.
   * Answers with a `Content-Encoding` or with `Cache-Control: no-transform`, parts of answers, and event streams are sent as they are. It
   * costs processor time; on a fast local network it gains little. A change restarts a running server.
   *
   * @default {false}
   */
  readonly compression: boolean;
  /**
   * How a callback gets the body of a request. `"buffer"`: the callback runs when the whole body has arrived, as `request.data`.
   * `"stream"`: the callback runs at once and reads `request.raw.body`, for uploads larger than memory; `request.data` is empty then, and
   * `text()`, `json()` and `formData()` read the stream.
   *
   * @default {"buffer"}
   */
  readonly body: "buffer" | "stream";
  /**
   * Seconds without progress after which a request body gets 408, and seconds after which an async callback is abandoned: an HTTP
   * request gets 503 then, and a WebSocket client's next callback runs. A slow body makes progress as long as it brings 512 bytes a second
   * on average. 0 means no limit.
   *
   * @default {60}
   */
  readonly requestTimeout: number;
  /**
   * The most WebSockets at once, including those that `onWebSocketRequest` has yet to accept, and those that were dropped but are not
   * closed yet. Any more get 503.
   *
   * @default {1024}
   */
  readonly maxConnections: number;
  /**
   * The largest WebSocket message from a client, in bytes. A larger one closes its connection with 1009. Deno has assembled the whole
   * message by then; it refuses frames of 64 MiB and more by itself.
   *
   * @default {16777216}
   */
  readonly maxMessageSize: number;
  /**
   * Bytes that may wait for one WebSocket client. Each message counts 1,024 bytes more than its data, since that is what it costs. While
   * more waits to be sent to the client, sends are refused. When more waits for an async callback, the client is closed with 1008; one
   * message of `maxMessageSize` may always wait.
   *
   * @default {4194304}
   */
  readonly maxBufferedAmount: number;
  /**
   * Seconds, 0 to 3600, after which a client is dropped: a WebSocket client that does not answer a ping or does not read what is sent to
   * it, and an HTTP client that reads less than 64 KiB of its answer in that time. A large WebSocket message gets a second more for each
   * 64 KiB. 0 means never. A change applies to WebSockets that are opened later.
   *
   * @default {30}
   */
  readonly idleTimeout: number;
  /**
   * Seconds that a stop gives to the requests, messages and files that are under way.
   *
   * @default {5}
   */
  readonly shutdownTimeout: number;
}

/** Parameters to change; `undefined` means absent. */
export type ParameterChange = { readonly [Name in keyof WebServerParameters]?: WebServerParameters[Name] | undefined };

/** What a change of a parameter affects while the server runs. */
export type Effect =
  /** The new value counts from now on. */
  | "nothing"
  /** The files that the parameters name are read again. */
  | "files"
  /** The server moves to another listener, and reads its files again. */
  | "listener";

/** Everything about a parameter. */
interface Parameter<Value> {
  readonly default: Value;
  readonly kind: kinds.Kind<Value>;
  readonly affects: Effect;
  /** Its line in the help of the command line, up to 50 characters with the default; absent if it has no flag. */
  readonly help?: string;
}

const MiB = 1 << 20;

/** Every parameter, in the order of the operator's pages. */
export const PARAMETERS: { readonly [Name in keyof WebServerParameters]: Parameter<WebServerParameters[Name]> } = {
  active: { default: false, kind: kinds.flag, affects: "nothing" },
  port: {
    default: 9980,
    kind: kinds.integer(0, 65535),
    affects: "listener",
    help: "TCP port; 0 takes any free one",
  },
  localaddress: {
    default: "",
    kind: kinds.text(
      "ADDRESS",
      /^[\w.:%-]*$/,
      'an IP address or a host name of this machine, or "" for all interfaces',
    ),
    affects: "listener",
    help: "listen on this address only, instead of on all",
  },
  secure: {
    default: false,
    kind: kinds.flag,
    affects: "listener",
    help: "TLS, with --privatekey and --certificate",
  },
  privatekey: { default: "", kind: kinds.file, affects: "files", help: "private key of the certificate, in PEM" },
  certificate: { default: "", kind: kinds.file, affects: "files", help: "certificate and its intermediates, in PEM" },
  password: {
    default: "",
    kind: kinds.anyText,
    affects: "files",
    help: "file with the password of the private key",
  },
  callbacks: {
    default: template,
    kind: kinds.callbacks,
    affects: "files",
    help: "module of callbacks; may be a URL",
  },
  language: {
    default: "node",
    kind: kinds.oneOf("input", "node"),
    affects: "files",
    help: "node reads any callbacks file as TypeScript",
  },
  extension: {
    default: "language",
    kind: { ...kinds.oneOf("dat", "language", "custom"), placeholder: "KIND" },
    affects: "nothing",
    help: "for init: dat, language or custom",
  },
  customext: {
    default: "",
    kind: kinds.text("EXT", /^\w{0,16}$/, "up to 16 letters, digits and underscores"),
    affects: "nothing",
    help: "for init: the custom extension",
  },
  wordwrap: {
    default: "input",
    kind: kinds.oneOf("input", "on", "off"),
    affects: "nothing",
    help: "how a viewer wraps the callbacks text",
  },
  name: {
    default: "webserver1",
    kind: kinds.text("NAME", /^\w+$/, "letters, digits and underscores"),
    affects: "nothing",
    help: "name of the operator",
  },
  watch: {
    default: false,
    kind: kinds.flag,
    affects: "files",
    help: "reload callbacks and certificate when they change",
  },
  origins: { default: "same", kind: kinds.origins, affects: "nothing", help: "web pages that may do more than read" },
  trustedProxies: {
    default: Object.freeze([]),
    kind: kinds.proxies,
    affects: "nothing",
    help: "proxies whose X-Forwarded-For is trusted",
  },
  maxBodySize: { default: 16 * MiB, kind: kinds.bytes, affects: "nothing", help: "largest request body" },
  maxBodyMemory: { default: 256 * MiB, kind: kinds.bytes, affects: "nothing", help: "all request bodies at once" },
  maxFormFields: { default: 1000, kind: kinds.count, affects: "nothing", help: "fields and files in one form" },
  compression: {
    default: false,
    kind: kinds.flag,
    affects: "listener",
    help: "compress answers for clients that take it",
  },
  body: {
    default: "buffer",
    kind: kinds.oneOf("buffer", "stream"),
    affects: "nothing",
    help: "how a callback gets a request's body",
  },
  requestTimeout: {
    default: 60,
    kind: kinds.seconds,
    affects: "nothing",
    help: "for a callback or a stalled body; 0: none",
  },
  maxConnections: { default: 1024, kind: kinds.count, affects: "nothing", help: "WebSockets at once" },
  maxMessageSize: { default: 16 * MiB, kind: kinds.bytes, affects: "nothing", help: "largest WebSocket message" },
  maxBufferedAmount: { default: 4 * MiB, kind: kinds.bytes, affects: "nothing", help: "waiting for one WebSocket" },
  idleTimeout: {
    default: 30,
    kind: kinds.integer(0, 3600, "seconds"),
    affects: "nothing",
    help: "until a silent client is dropped; 0: never",
  },
  shutdownTimeout: {
    default: 5,
    kind: kinds.seconds,
    affects: "nothing",
    help: "for open requests when the server stops",
  },
};

/** The names of the parameters, in the order of the operator's pages. */
export const PARAMETER_NAMES = Object.keys(PARAMETERS) as (keyof WebServerParameters)[];

/** What a new operator starts with. */
export const defaults = Object.freeze(
  Object.fromEntries(PARAMETER_NAMES.map((name) => [name, PARAMETERS[name].default])),
) as unknown as WebServerParameters;
