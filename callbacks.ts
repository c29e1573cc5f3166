/**
 * The contract of the callbacks: what each one gets, when it runs, what it may return.
 *
 * Their names and positional arguments are those of the Callbacks DAT. Each may be left out, and each may be `async`:
 * the server goes on serving others meanwhile. A callback that throws, or whose promise rejects, never takes the server
 * down: {@linkcode Callbacks.onError} hears of it.
 *
 * @example An answer and an echo
 * ```ts
 * import { WebServer } from "@webserver-dat/server";
 * import type { Callbacks } from "@webserver-dat/server/callbacks";
 *
 * const callbacks: Callbacks = {
 *   onHTTPRequest(_webServer, request, response) {
 *     response.statusCode = 200;
 *     response.statusReason = "OK";
 *     response.data = `You asked for ${request.uri}`;
 *     return response;
 *   },
 *   onWebSocketReceiveText(webServer, client, data) {
 *     webServer.webSocketSendText(client, data);
 *   },
 * };
 *
 * await using server = new WebServer({ port: 0, callbacks });
 * await server.start();
 * ```
 *
 * @module
 */

import * as templateModule from "./internal/operator/template.ts";
import type { WebServer } from "./server.ts";

/** What `request` has beside the headers. */
export interface RequestFields {
  /** The method as sent: `"GET"`, `"POST"`... */
  readonly method: string;
  /** The path as sent: without the query, not decoded. */
  readonly uri: string;
  /** The query, decoded. Of a name that occurs more than once, the last value. Empty without a query. */
  readonly pars: Readonly<Record<string, string>>;
  /**
   * Who asks: `"192.168.0.7:50112"`, `"[fe80::1]:50112"`. Behind a proxy of parameter `trustedProxies`, the address that it forwards.
   * On a Unix socket of `deno serve`, `"unix:"` and a number of its own.
   */
  readonly clientAddress: string;
  /**
   * The address asked, in the form of `clientAddress`. Advisory where the server listens on all interfaces: the runtime
   * does not tell which one the request came in by, so it is the `Host` header if that is an IP address, else loopback for
   * a client on loopback, else the address listened on. Where only `deno serve` knows that (on a Unix socket, and in all but the first
   * worker of `--parallel`), the port is the one of the `Host` header.
   */
  readonly serverAddress: string;
  /**
   * The body. Empty without one, for `GET`, `HEAD` and `CONNECT`, whose bodies the runtime drops, and with parameter `body` set to
   * `"stream"`. It is yours to keep.
   */
  readonly data: Uint8Array<ArrayBuffer>;
  /** The headers as the web platform has them. */
  readonly headers: Headers;
  /** The body as text, decoded from UTF-8. */
  text(): Promise<string>;
  /**
   * The body parsed as JSON, nested up to 1,000 deep. If the callback lets an error of it pass, the answer is 400, or 413.
   *
   * @throws {SyntaxError} (rejects) If the body is not JSON
   * @throws {Error} (rejects) If it is nested deeper, or needs more than `maxBodyMemory`
   */
  // deno-lint-ignore no-explicit-any -- as `Request.json()` of the web platform
  json(): Promise<any>;
  /**
   * The body parsed as a form, `multipart/form-data` or `application/x-www-form-urlencoded`. If the callback lets an error of it pass,
   * the answer is 400, or 413.
   *
   * @throws {TypeError} (rejects) If the body is not a whole form
   * @throws {Error} (rejects) If it has more than `maxFormFields` fields and files
   */
  formData(): Promise<FormData>;
  /** Aborts when the client is gone, and when the server stops; in Deno 2 also when the answer has been delivered. */
  readonly signal: AbortSignal;
  /**
   * The Fetch `Request` underneath. Its body is already taken: it is `data`, unless parameter `body` is `"stream"`, when it is to be read
   * from here, or by `text()`, `json()` or `formData()`. The limits hold for what is read by it: a new `Request` made of it, as by
   * `fetch(raw)`, goes past them, so hand on `raw.body`.
   */
  readonly raw: Request;
}

/**
 * The `request` dictionary: the fields, and every request header under its name in any letter case:
 * `request["Authorization"]`, `"content-type" in request`. A field wins over a header of its name in any letter case, which is
 * not there: `request["clientaddress"]` is undefined, whatever a client sends.
 *
 * `Object.keys()`, `JSON.stringify()` and a spread see `method`, `uri`, `pars`, `clientAddress`, `serverAddress`, the
 * headers in lower case, and `data`. It is read-only, and lazy: what is not read costs nothing. Read what you need before
 * the answer is given; the runtime forgets the rest then.
 *
 * The first use of `uri`, `pars` or `raw` ends the callback with the answer 400 when the `Host` header is no host, since
 * such a header would change the path.
 */
export type RequestDictionary = RequestFields & { readonly [header: string]: string | undefined };

/**
 * What `response.data` may be. Strings go out as UTF-8, plain objects and lists as JSON; streams are of bytes, and are sent as they come.
 * Bytes are not copied: do not change them until the answer is sent.
 */
export type ResponseData =
  | string
  | Uint8Array
  | ArrayBuffer
  | Blob
  | ReadableStream<Uint8Array>
  | readonly JSONValue[]
  | { readonly [key: string]: JSONValue };

/** What is sent as JSON. Properties that are `undefined` are left out. */
export type JSONValue =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly JSONValue[]
  | { readonly [key: string]: JSONValue };

/** The value of a response header. A list sends the header once for each of its items. */
export type HeaderValue = string | number | boolean | readonly (string | number | boolean)[];

/**
 * The `response` dictionary. It starts as 404, `"Not Found"`, `""`; every further key is sent as a header, whatever its
 * letter case. The later one of two keys that differ in letter case only is sent; a key set to `undefined` is not.
 *
 * A string without a `Content-Type` is sent as `text/html; charset=utf-8` if it starts with `<` (white space and a byte order mark in
 * front do not count), else as `text/plain; charset=utf-8`; plain objects and lists as `application/json`. With these types goes
 * `X-Content-Type-Options: nosniff`, unless the dictionary has that header. Bytes and streams without a `Content-Type` are sent without
 * one, a `Blob` with its own. The body is not sent where HTTP has none: with 204, 205 and 304, and to `HEAD`.
 *
 * Header values go out as UTF-8; `Location` and `Content-Location` are percent-encoded where they need it. `Content-Length` is the
 * server's own wherever the length of the body is known.
 */
export interface ResponseDictionary {
  /** 200 to 599. */
  statusCode: number;
  /** A habit of the operator. The runtime puts no reason phrase of ours on the wire. */
  statusReason: string;
  /** The body. */
  data: ResponseData;
  /** More headers: another way to set them, for those who look for it. */
  headers?: Headers | Readonly<Record<string, HeaderValue | undefined>>;
  /** Not a field: it is `statusCode`. */
  status?: never;
  /** Not a field: it is `statusCode`. */
  statuscode?: never;
  /** Not a field: it is `statusReason`. */
  statusText?: never;
  /** Not a field: it is `data`. */
  body?: never;
  /** Any other key is a header. */
  [header: string]:
    | HeaderValue
    | ResponseData
    | Headers
    | Readonly<Record<string, HeaderValue | undefined>>
    | undefined;
}

/** What `onHTTPRequest` may return: a response dictionary (absent fields keep their defaults), a Fetch `Response`, nothing. */
export type HTTPAnswer = Partial<ResponseDictionary> | Response | void;

/**
 * The callbacks of a server. `this` is the object they are in. Each may be left out, and each may be `async`: the server
 * goes on serving others while one waits.
 *
 * - `client` is the client's address, such as `"192.168.0.7:50112"`: the name by which the methods of the server know it.
 * - **Order.** The callbacks of one WebSocket client run one at a time and in order, open first and close last, also when they are async.
 *   HTTP requests run concurrently.
 * - **What throws**, or rejects, never takes the server down. It counts as an error, {@linkcode Callbacks.onError} hears of it once, and
 *   the client learns nothing of it but a status.
 * - **What is slow** holds up nobody else, as long as it awaits. What an async callback has not settled after parameter `requestTimeout`
 *   is given up: an HTTP request is answered 503, and for a WebSocket client the next callback runs. A callback that computes without
 *   awaiting does hold up all: JavaScript has one thread.
 * - What a callback returns counts for `onHTTPRequest` and `onWebSocketRequest`; of the others only promises are awaited.
 */
export interface Callbacks {
  /**
   * A request has arrived, with its whole body unless parameter `body` is `"stream"`.
   *
   * Return `response`, or another dictionary, or a `Response` (for files, streams, server-sent events). Returning nothing
   * answers 404 and counts a warning. Throwing, or returning what cannot be sent (an impossible status, header name or
   * header value, anything else), answers 500 without details. While absent, every request is answered 404.
   *
   * Not every request comes this far: the server itself answers a body over `maxBodySize`, anything but GET, HEAD and OPTIONS from pages
   * that `origins` does not admit, and what is not HTTP.
   *
   * @example A JSON answer
   * ```ts
   * import type { Callbacks } from "@webserver-dat/server/callbacks";
   *
   * const callbacks: Callbacks = {
   *   onHTTPRequest(_webServer, request, response) {
   *     response.statusCode = 200;
   *     response["Content-Type"] = "application/json";
   *     response.data = JSON.stringify({ path: request.uri, level: Number(request.pars["level"] ?? 0) });
   *     return response;
   *   },
   * };
   * ```
   */
  onHTTPRequest?(
    webServer: WebServer,
    request: RequestDictionary,
    response: ResponseDictionary,
  ): HTTPAnswer | Promise<HTTPAnswer>;

  /**
   * A WebSocket handshake has arrived, and is right. Not in the operator.
   *
   * `response` starts as 101, `"Switching Protocols"`. While `statusCode` stays so, the WebSocket is accepted; any other refuses it, and a
   * `Response` does. The dictionary passed in decides, returned or not. Every further key is sent as a header, also with 101.
   * `Sec-WebSocket-Protocol` starts as the first sub-protocol that the client offers, if it offers any; set another one of them, or delete
   * that key of the dictionary passed in to pick none. Throwing, or what cannot be sent, refuses with 500. While absent, every handshake is accepted that `origins` and
   * `maxConnections` admit.
   *
   * @example A password for the panel's socket
   * ```ts
   * import { challenge } from "@webserver-dat/server/auth";
   * import type { Callbacks } from "@webserver-dat/server/callbacks";
   *
   * const callbacks: Callbacks = {
   *   onWebSocketRequest(webServer, request, response) {
   *     if (!webServer.authenticateBasic(request["Authorization"], { operator: "stage left" })) challenge(response, "panel");
   *   },
   * };
   * ```
   */
  onWebSocketRequest?(
    webServer: WebServer,
    request: RequestDictionary,
    response: ResponseDictionary,
  ): HTTPAnswer | Promise<HTTPAnswer>;

  /**
   * A WebSocket is open: the client can be sent to. `uri` is the path and query it connected to, as sent. The client's messages wait
   * until this has settled.
   *
   * @example Greeting a client
   * ```ts
   * import type { Callbacks } from "@webserver-dat/server/callbacks";
   *
   * const callbacks: Callbacks = {
   *   onWebSocketOpen: (webServer, client, uri) => webServer.webSocketSendText(client, `hello, ${client}, in ${uri}`),
   * };
   * ```
   */
  onWebSocketOpen?(webServer: WebServer, client: string, uri: string): unknown;

  /**
   * A WebSocket is closed, exactly once for each that was opened, however it ended. The client can be sent to no more.
   *
   * `code` and `reason` are those of the peer or, where the server closed first, the server's own; a connection that ended without a close,
   * or fell silent for `idleTimeout`, is 1006 (RFC 6455, section 7.4.1). The operator has neither.
   *
   * @example Keeping count
   * ```ts
   * import type { Callbacks } from "@webserver-dat/server/callbacks";
   *
   * const callbacks: Callbacks = {
   *   onWebSocketClose(webServer, client, code) {
   *     console.log(`${client} left with ${code}, ${webServer.webSocketConnections.length} are there`);
   *   },
   * };
   * ```
   */
  onWebSocketClose?(webServer: WebServer, client: string, code: number, reason: string): unknown;

  /**
   * A text message has arrived, whole. Larger ones than `maxMessageSize` do not: they close the connection with 1009. Messages that
   * come faster than an async callback settles wait, up to `maxBufferedAmount` or one message of `maxMessageSize`; beyond, the connection
   * is closed with 1008.
   *
   * @example To everyone else
   * ```ts
   * import type { Callbacks } from "@webserver-dat/server/callbacks";
   *
   * const callbacks: Callbacks = {
   *   onWebSocketReceiveText(webServer, client, data) {
   *     for (const other of webServer.webSocketConnections) {
   *       if (other !== client) webServer.webSocketSendText(other, data);
   *     }
   *   },
   * };
   * ```
   */
  onWebSocketReceiveText?(webServer: WebServer, client: string, data: string): unknown;

  /**
   * A binary message has arrived, whole; with the same limits as text. `data` is yours to keep.
   *
   * @example To everyone
   * ```ts
   * import type { Callbacks } from "@webserver-dat/server/callbacks";
   *
   * const callbacks: Callbacks = {
   *   onWebSocketReceiveBinary: (webServer, _client, data) => webServer.webSocketBroadcast(data),
   * };
   * ```
   */
  onWebSocketReceiveBinary?(webServer: WebServer, client: string, data: Uint8Array<ArrayBuffer>): unknown;

  /**
   * The server is active, and answers requests. The start does not wait for what this returns, which may go on as long as the server
   * does. It runs again at every restart.
   *
   * @example The address for a wall of phones
   * ```ts
   * import type { Callbacks } from "@webserver-dat/server/callbacks";
   *
   * const callbacks: Callbacks = {
   *   onServerStart: (webServer) => console.log(`Open ${webServer.address?.url}`),
   * };
   * ```
   */
  onServerStart?(webServer: WebServer): unknown;

  /**
   * The server has stopped: no client is connected any more, and the port is free. The stop waits for a promise, within what is left of
   * `shutdownTimeout`.
   *
   * @example Keeping what was counted
   * ```ts
   * import type { Callbacks } from "@webserver-dat/server/callbacks";
   *
   * let visits = 0;
   * const callbacks: Callbacks = {
   *   onHTTPRequest: () => new Response(`Visit ${++visits}`),
   *   onServerStop: () => Deno.writeTextFile("visits.txt", String(visits)),
   * };
   * ```
   */
  onServerStop?(webServer: WebServer): unknown;

  /**
   * Something went wrong. Not in the operator. `callbackName` is the callback that threw or rejected, the method (`"start"`, `"stop"`,
   * `"restart"`, `"set"`) that could not do its work, or the file (`"callbacks"`, `"certificate"`) that was saved and cannot be used.
   * Called once for each error that `info().errors` counts. While absent, errors go to `console.error`, except that of a method whose
   * promise the program awaits, which tells it; if it throws itself, both errors go there.
   *
   * @example One line for each
   * ```ts
   * import type { Callbacks } from "@webserver-dat/server/callbacks";
   *
   * const callbacks: Callbacks = {
   *   onError: (webServer, error, callbackName) => console.error(`${webServer.name} ${callbackName}: ${error}`),
   * };
   * ```
   */
  onError?(webServer: WebServer, error: unknown, callbackName: string): unknown;
}

/**
 * The callbacks of a new operator: HTTP requests get the operator's name, WebSocket messages come back. A server without
 * the `callbacks` parameter uses them.
 */
export const template: Readonly<Callbacks> = Object.freeze<Callbacks>({ ...templateModule });
