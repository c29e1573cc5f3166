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

import * as templateModule from "./internal/callbacks_template.ts";
import type { WebServer } from "./server.ts";

/** What `request` has beside the headers. */
export interface RequestFields {
  /** The method as sent: `"GET"`, `"POST"`... */
  readonly method: string;
  /** The path as sent: without the query, not decoded. */
  readonly uri: string;
  /** The query, decoded. Of a name that occurs more than once, the last value. Empty without a query. */
  readonly pars: Readonly<Record<string, string>>;
  /** Who asks: `"192.168.0.7:50112"`, `"[fe80::1]:50112"`. */
  readonly clientAddress: string;
  /**
   * The address asked, in the form of `clientAddress`. Advisory where the server listens on all interfaces: the runtime
   * does not tell which one the request came in by, so it is the `Host` header if that is an IP address, else loopback for
   * a client on loopback, else the address listened on.
   */
  readonly serverAddress: string;
  /** The body. Empty without one, and for `GET`, `HEAD` and `CONNECT`, whose bodies the runtime drops. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** The headers as the web platform has them. */
  readonly headers: Headers;
  /** The body as text, decoded from UTF-8. */
  text(): Promise<string>;
  /**
   * The body parsed as JSON.
   *
   * @throws {SyntaxError} (rejects) where the body is no JSON.
   */
  // deno-lint-ignore no-explicit-any -- as `Request.json()` of the web platform
  json(): Promise<any>;
  /**
   * The body parsed as a form, `multipart/form-data` or `application/x-www-form-urlencoded`.
   *
   * @throws {TypeError} (rejects) where the body is no form.
   */
  formData(): Promise<FormData>;
  /** Aborts when the client is gone; in Deno 2 also when the answer has been delivered. */
  readonly signal: AbortSignal;
  /** The Fetch `Request` underneath. Its body is already taken: it is `data`. */
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

/** What `response.data` may be. Strings go out as UTF-8; streams are of bytes, and are sent as they come. */
export type ResponseData = string | Uint8Array | ArrayBuffer | Blob | ReadableStream<Uint8Array>;

/** The value of a response header. A list sends the header once for each of its items. */
export type HeaderValue = string | number | boolean | readonly (string | number | boolean)[];

/**
 * The `response` dictionary. It starts as 404, `"Not Found"`, `""`; every further key is sent as a header, whatever its
 * letter case. The later one of two keys that differ in letter case only is sent; a key set to `undefined` is not.
 *
 * A string without a `Content-Type` is sent as `text/html; charset=utf-8` if it starts with `<` (white space in front does
 * not count), else as `text/plain; charset=utf-8`. Bytes and streams without one are sent without one, a `Blob` with its own.
 * The body is not sent where HTTP has none: with 204, 205 and 304, and to `HEAD`.
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
 * The callbacks of a server. `this` is the object they are in. What a callback returns counts for `onHTTPRequest` alone;
 * of the others only promises are awaited.
 *
 * `client` is the client's address, such as `"192.168.0.7:50112"`: the name by which the methods of the server know it.
 * The callbacks of one WebSocket client run one at a time and in order, open first and close last, also when they are async;
 * HTTP requests run concurrently.
 */
export interface Callbacks {
  /**
   * A request has arrived, with its whole body.
   *
   * Return `response`, or another dictionary, or a `Response` (for files, streams, server-sent events). Returning nothing
   * answers 404 and counts a warning. Throwing, or returning what cannot be sent (an impossible status, header name or
   * header value, anything else), answers 500 without details. While absent, every request is answered 404.
   */
  onHTTPRequest?(
    webServer: WebServer,
    request: RequestDictionary,
    response: ResponseDictionary,
  ): HTTPAnswer | Promise<HTTPAnswer>;

  /**
   * A WebSocket handshake has arrived, and is right. `response` starts as 101, `"Switching Protocols"`: while `statusCode` stays so, the
   * WebSocket is accepted; with any other, or a `Response`, it is refused. `response` decides, returned or not. Every further key
   * is sent as a header, also with 101; `Sec-WebSocket-Protocol` picks one of the sub-protocols that the client offers.
   *
   * Throwing, or what cannot be sent, refuses with 500. While absent, every handshake is accepted.
   */
  onWebSocketRequest?(
    webServer: WebServer,
    request: RequestDictionary,
    response: ResponseDictionary,
  ): HTTPAnswer | Promise<HTTPAnswer>;

  /** A WebSocket is open: the client can be sent to. `uri` is the path and query it connected to, as sent. */
  onWebSocketOpen?(webServer: WebServer, client: string, uri: string): unknown;

  /**
   * A WebSocket is closed, exactly once for each that was opened. `code` and `reason` are those of the peer or, where the
   * server closed first, the server's own; a connection that ended without a close is 1006 (RFC 6455, section 7.4.1).
   */
  onWebSocketClose?(webServer: WebServer, client: string, code: number, reason: string): unknown;

  /** A text message has arrived. */
  onWebSocketReceiveText?(webServer: WebServer, client: string, data: string): unknown;

  /** A binary message has arrived. `data` is yours to keep. */
  onWebSocketReceiveBinary?(webServer: WebServer, client: string, data: Uint8Array<ArrayBuffer>): unknown;

  /** The server is active. The start does not wait for what this returns. */
  onServerStart?(webServer: WebServer): unknown;

  /** The server has stopped: no client is connected any more. The stop waits for a promise, five seconds at most. */
  onServerStop?(webServer: WebServer): unknown;

  /**
   * Something went wrong: `callbackName` is the callback that threw or rejected, or the method (`"start"`, `"stop"`,
   * `"restart"`, `"set"`) that could not do its work. Called once for each error that `info().errors` counts. While absent,
   * errors go to `console.error`.
   */
  onError?(webServer: WebServer, error: unknown, callbackName: string): unknown;
}

/**
 * The callbacks of a new operator: HTTP requests get the operator's name, WebSocket messages come back. A server without
 * the `callbacks` parameter uses them.
 */
export const template: Readonly<Callbacks> = Object.freeze<Callbacks>({ ...templateModule });
