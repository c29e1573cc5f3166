/** The `request` dictionary: a lazy view of a Fetch `Request`. */

import { formatAddress, serverAddress } from "../engine/address.ts";
import type { Exchange } from "../engine/exchange.ts";
import { isToken } from "../engine/header_values.ts";
import { headerOf } from "../engine/deno.ts";
import { parseForm, parseJSON } from "../engine/parsing.ts";
import { authorityOf } from "../engine/target.ts";
import type { RequestDictionary, RequestFields } from "./dictionaries.ts";

/** A dictionary without a prototype that V8 keeps fast, unlike `Object.create(null)`. */
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

/** The fields. Each is made when it is first read. */
class Fields implements RequestFields {
  // Only declared: most requests never have them, and every request would pay for their initialization.
  declare private query?: number;
  declare private parsed?: Record<string, string>;
  declare private aborting?: AbortSignal;

  constructor(readonly exchange: Exchange) {}

  get method() {
    return this.exchange.request.method;
  }

  get uri() {
    const { target } = this.exchange;
    const query = this.queryIn(target);
    return query < 0 ? target : target.slice(0, query);
  }

  get pars() {
    if (this.parsed === undefined) {
      const { target } = this.exchange;
      const query = this.queryIn(target);
      this.parsed = query < 0 ? new Pars() : parse(target.slice(query + 1));
    }
    return this.parsed;
  }

  get clientAddress() {
    return this.exchange.client;
  }

  get serverAddress() {
    const { request, context: { listening }, peer } = this.exchange;
    const client = peer ? formatAddress(peer.hostname, peer.port) : "";
    return serverAddress(listening, authorityOf(request), client);
  }

  get data() {
    return this.exchange.data ??= new Uint8Array(0);
  }

  get headers() {
    return this.exchange.request.headers;
  }

  get signal() {
    const { request, context } = this.exchange;
    return this.aborting ??= AbortSignal.any([request.signal, context.stopped]);
  }

  get raw() {
    // Checks the host, which may change the path of `Request.url`.
    void this.exchange.target;
    return this.exchange.request;
  }

  async text(): Promise<string> {
    return await this.exchange.body?.text() ?? "";
  }

  async json(): Promise<unknown> {
    const { body } = this.exchange;
    return body ? await body.json() : parseJSON(this.data, () => {});
  }

  async formData(): Promise<FormData> {
    const { body, request } = this.exchange;
    return body ? await body.formData() : await parseForm(this.data, headerOf(request, "content-type"), 0);
  }

  /** `console.log` looks behind a Proxy; this shows it the same as the Proxy does. */
  [Symbol.for("Deno.customInspect")](inspect: typeof Deno.inspect, options: Deno.InspectOptions) {
    try {
      return inspect(Object.fromEntries(keysOf(this).map((key) => [key, read(this, key)])), options);
    } catch (error) {
      return `[request: ${(error as Error).message}]`;
    }
  }

  private queryIn(target: string): number {
    return this.query ??= target.indexOf("?");
  }
}

// The keys that a dictionary shows before and after the headers, in the operator's order.
const BEFORE = ["method", "uri", "pars", "clientAddress", "serverAddress"];
const AFTER = ["data"];
/** The other fields, which are not shown. */
const HIDDEN = ["headers", "signal", "raw", "text", "json", "formData"];

function isField(key: string): key is keyof RequestFields {
  return BEFORE.includes(key) || AFTER.includes(key) || HIDDEN.includes(key);
}

/** Headers with these names are left out, so that none can pass for a field in another letter case. */
const RESERVED = new Set([...BEFORE, ...AFTER, ...HIDDEN].map((name) => name.toLowerCase()));

/** So are headers with these names, so that none can replace `toString` and the like. */
const INHERITED = new Set(Object.getOwnPropertyNames(Object.prototype).filter((name) => name !== name.toLowerCase()));

function keysOf(fields: Fields): string[] {
  // A Set, since `Headers` lists `set-cookie` as often as it was sent.
  const names = new Set(fields.headers.keys()).difference(RESERVED);
  if (authorityOf(fields.exchange.request) !== null) names.add("host");
  return [...BEFORE, ...names, ...AFTER];
}

/** The header for a key, in any letter case. Undefined if the key cannot be the name of a header. */
function header(fields: Fields, key: string): string | undefined {
  const name = key.toLowerCase();
  if (RESERVED.has(name) || INHERITED.has(key) || !isToken(name)) return undefined;
  const { request } = fields.exchange;
  return (name === "host" ? authorityOf(request) : headerOf(request, name)) ?? undefined;
}

function read(fields: Fields, key: string): unknown {
  // One case for each, which V8 can optimize; a Set and a computed key cost several times that.
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
  set(_fields, key) {
    throw new TypeError(`Cannot set ${JSON.stringify(String(key))} of the request: it is read-only`);
  },
  defineProperty: () => false,
  deleteProperty: () => false,
  preventExtensions: () => false,
  setPrototypeOf: () => false,
  getPrototypeOf: () => Object.prototype,
};

/** The dictionary of a request. */
export function requestDictionary(exchange: Exchange): RequestDictionary {
  return new Proxy(new Fields(exchange), dictionary) as unknown as RequestDictionary;
}
