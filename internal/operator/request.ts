/** The `request` dictionary: a lazy view on a Fetch `Request`. */

import type { RequestDictionary, RequestFields } from "../../callbacks.ts";
import { type Address, canonicalIP, formatAddress, serverAddress } from "../engine/address.ts";
import type { ClearText } from "./clear_text.ts";
import { clientAddressOf, peerOf, type TrustedProxies } from "../engine/client.ts";
import { badRequest } from "../engine/fault.ts";
import type { RequestBody } from "../engine/body.ts";
import { isToken } from "../engine/header_values.ts";
import { headerOf } from "../engine/deno.ts";
import { parseForm, parseJSON } from "../engine/parsing.ts";

/** What the requests of one listener have in common. */
export interface RequestContext {
  /** Where it listens. Undefined if only the owner of the listener knows. */
  readonly listening: Address | undefined;
  readonly trustedProxies: TrustedProxies;
  /** Aborts when the server stops. */
  readonly stopped: AbortSignal;
  /** Without TLS: hears of each request whose `Authorization` is read. */
  readonly clearText: ClearText | undefined;
}

// What can be a host and port (RFC 3986, section 3.2.2). Anything else would move the path in `Request.url`, which the
// `Deno.serve` puts together from this header and the target as they came (H2).
const HOST = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+,;=%-]+)(?::\d{0,5})?$/i;

/** The last host that was one: a server is asked by the same name most of the time. */
let knownHost = "";

function isHost(host: string): boolean {
  if (host === knownHost) return true;
  if (!HOST.test(host) || !URL.canParse(`http://${host}/`)) return false;
  knownHost = host;
  return true;
}

/**
 * The target of a request: path and query, as sent.
 *
 * @throws {Error} 400 if the host, in its header or in a target of absolute form, is not valid
 */
export function targetOf(request: Request): string {
  const host = headerOf(request, "host");
  const { url } = request;
  const start = url.indexOf("//") + 2;
  // Nearly always: the host as in its header, and a path behind it.
  if (host !== null && url.startsWith(host, start) && url[start + host.length] === "/" && isHost(host)) {
    return url.slice(start + host.length);
  }
  const behindScheme = url.slice(start);
  const end = behindScheme.search(/[/?#]/);
  const authority = end < 0 ? behindScheme : behindScheme.slice(0, end);
  if (!isHost(authority) || (host !== null && host !== authority && host !== "" && !isHost(host))) {
    throw badRequest("The Host header is not a valid host");
  }
  // Without a path it is "/" (RFC 9112, section 3.2.2).
  return behindScheme[end] === "/" ? behindScheme.slice(end) : `/${end < 0 ? "" : behindScheme.slice(end)}`;
}

/** Host and port that are asked, as sent, or null where the client sent none. */
export function authorityOf(request: Request): string | null {
  const host = headerOf(request, "host");
  if (host !== null) return host;
  // HTTP/2 has it in the URL only, where Deno puts its own idea of it for HTTP/1 without a Host (H2).
  const [, scheme, authority] = /^(\w+):\/\/([^/?#]*)/.exec(request.url) ?? [];
  return scheme === "http" && authority!.startsWith("localhost") ? null : authority ?? null;
}

/** A dictionary without a prototype that, unlike `Object.create(null)`, the engine keeps fast. */
const Pars = function () {} as unknown as new () => Record<string, string>;
Pars.prototype = Object.create(null);

function parse(query: string): Record<string, string> {
  const pars = new Pars();
  if (/[%+]/.test(query)) {
    for (const [name, value] of new URLSearchParams(`?${query}`)) pars[name] = value;
  } else {
    // Nothing to decode: a fraction of the cost.
    for (const pair of query.split("&")) {
      const equals = pair.indexOf("=");
      if (equals >= 0) pars[pair.slice(0, equals)] = pair.slice(equals + 1);
      else if (pair !== "") pars[pair] = "";
    }
  }
  return pars;
}

/** The fields, each made when it is first read. */
class Fields implements RequestFields {
  // Declared only: most requests never have them, and every request would pay for setting them up.
  declare private target?: string;
  declare private query: number;
  declare private parsed?: Record<string, string>;
  declare private aborting?: AbortSignal;

  constructor(
    readonly request: Request,
    private readonly info: Deno.ServeHandlerInfo | undefined,
    readonly context: RequestContext,
    private readonly body: RequestBody | undefined,
    private bytes: Uint8Array<ArrayBuffer> | undefined,
    private client: string | undefined,
  ) {}

  get method() {
    return this.request.method;
  }

  get uri() {
    const target = this.split();
    return this.query < 0 ? target : target.slice(0, this.query);
  }

  get pars() {
    if (this.parsed === undefined) {
      const target = this.split();
      this.parsed = this.query < 0 ? new Pars() : parse(target.slice(this.query + 1));
    }
    return this.parsed;
  }

  get clientAddress() {
    return this.client ??= clientAddressOf(this.request, this.info, this.context.trustedProxies);
  }

  get serverAddress() {
    const peer = peerOf(this.info);
    const client = peer ? formatAddress(peer.hostname, peer.port) : "";
    return serverAddress(this.context.listening, authorityOf(this.request), client);
  }

  get data() {
    return this.bytes ??= new Uint8Array(0);
  }

  get headers() {
    return this.request.headers;
  }

  get signal() {
    return this.aborting ??= AbortSignal.any([this.request.signal, this.context.stopped]);
  }

  get raw() {
    this.split();
    return this.request;
  }

  text(): Promise<string> {
    return this.body ? this.body.text() : Promise.resolve("");
  }

  async json(): Promise<unknown> {
    return this.body ? await this.body.json() : parseJSON(this.data, () => {});
  }

  async formData(): Promise<FormData> {
    return this.body
      ? await this.body.formData()
      : await parseForm(this.data, headerOf(this.request, "content-type"), 0);
  }

  /** `console.log` looks behind a Proxy, and is shown what the Proxy shows. */
  [Symbol.for("Deno.customInspect")](inspect: typeof Deno.inspect, options: Deno.InspectOptions) {
    try {
      return inspect(Object.fromEntries(keysOf(this).map((key) => [key, read(this, key)])), options);
    } catch (error) {
      return `[request: ${(error as Error).message}]`;
    }
  }

  authorizationRead(value: string | null): void {
    const peer = peerOf(this.info);
    // A trusted proxy is where TLS ends.
    if (peer && this.context.trustedProxies.has(canonicalIP(peer.hostname) ?? "")) return;
    this.context.clearText?.authorizationRead(this.request, value, peer);
  }

  private split(): string {
    if (this.target === undefined) {
      this.target = targetOf(this.request);
      this.query = this.target.indexOf("?");
    }
    return this.target;
  }
}

// The keys a dictionary shows in front of the headers and behind them, in the operator's order.
const BEFORE = ["method", "uri", "pars", "clientAddress", "serverAddress"];
const AFTER = ["data"];
/** What else is no header. */
const HIDDEN = ["headers", "signal", "raw", "text", "json", "formData"];

function isField(key: string): key is keyof RequestFields {
  return BEFORE.includes(key) || AFTER.includes(key) || HIDDEN.includes(key);
}

/** Headers of these names are not there, so that none can pass for a field in another letter case. */
const RESERVED = new Set([...BEFORE, ...AFTER, ...HIDDEN].map((name) => name.toLowerCase()));

/** Nor of these, so that none takes the place of `toString` and its like. */
const INHERITED = new Set(Object.getOwnPropertyNames(Object.prototype).filter((name) => name !== name.toLowerCase()));

function keysOf(fields: Fields): string[] {
  // A Set, since `Headers` has `set-cookie` as often as it was sent.
  const names = new Set(fields.headers.keys()).difference(RESERVED);
  if (authorityOf(fields.request) !== null) names.add("host");
  return [...BEFORE, ...names, ...AFTER];
}

/** The header of a key, in any letter case. What cannot be the name of a header is just absent. */
function header(fields: Fields, key: string): string | undefined {
  const name = key.toLowerCase();
  if (RESERVED.has(name) || INHERITED.has(key) || !isToken(name)) return undefined;
  const value = name === "host" ? authorityOf(fields.request) : headerOf(fields.request, name);
  if (name === "authorization") fields.authorizationRead(value);
  return value ?? undefined;
}

function read(fields: Fields, key: string): unknown {
  // One case each, which the engine can see through; a Set and a computed key cost several times that.
  switch (key) {
    case "method":
      return fields.method;
    case "uri":
      return fields.uri;
    case "pars":
      return fields.pars;
    case "clientAddress":
      return fields.clientAddress;
    case "serverAddress":
      return fields.serverAddress;
    case "data":
      return fields.data;
    case "headers":
      return fields.headers;
    case "signal":
      return fields.signal;
    case "raw":
      return fields.raw;
    case "text":
      return fields.text.bind(fields);
    case "json":
      return fields.json.bind(fields);
    case "formData":
      return fields.formData.bind(fields);
    default:
      return header(fields, key) ?? Object.prototype[key as never];
  }
}

const dictionary: ProxyHandler<Fields> = {
  get: (fields, key) => typeof key === "string" ? read(fields, key) : undefined,
  has(fields, key) {
    return typeof key === "string" && (isField(key) || header(fields, key) !== undefined);
  },
  ownKeys: keysOf,
  getOwnPropertyDescriptor(fields, key) {
    if (typeof key !== "string") return undefined;
    const value = HIDDEN.includes(key) ? undefined : isField(key) ? read(fields, key) : header(fields, key);
    if (value === undefined) return undefined;
    return { value, enumerable: true, configurable: true, writable: false };
  },
  // Read-only: assignments, `delete`, `Object.defineProperty` and `Object.freeze` throw a TypeError.
  set: () => false,
  defineProperty: () => false,
  deleteProperty: () => false,
  preventExtensions: () => false,
  setPrototypeOf: () => false,
  getPrototypeOf: () => Object.prototype,
};

/**
 * The dictionary of a request.
 *
 * @param request As `Deno.serve` hands it over
 * @param info As `Deno.serve` hands it over
 * @param context What it has in common with others
 * @param body Absent if there is none
 * @param bytes The body, if it has been read
 * @param client The client's address, if it is known
 */
export function requestDictionary(
  request: Request,
  info: Deno.ServeHandlerInfo | undefined,
  context: RequestContext,
  body?: RequestBody,
  bytes?: Uint8Array<ArrayBuffer>,
  client?: string,
): RequestDictionary {
  return new Proxy(new Fields(request, info, context, body, bytes, client), dictionary) as unknown as RequestDictionary;
}
