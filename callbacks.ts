/**
 * The contract of the callbacks: what each one gets, when it runs, what it may return.
 *
 * Their names and positional arguments are those of the Callbacks DAT. All are optional, and each may be `async`: the
 * server keeps serving other clients meanwhile. A callback that throws, or whose promise rejects, never takes the server
 * down: the error goes to {@linkcode Callbacks.onError}.
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

import type { HTTPAnswer, RequestDictionary, ResponseDictionary } from "./internal/operator/dictionaries.ts";
import type { WebServer } from "./server.ts";

export type {
  HeaderValue,
  HTTPAnswer,
  JSONValue,
  RequestDictionary,
  RequestFields,
  ResponseData,
  ResponseDictionary,
} from "./internal/operator/dictionaries.ts";
export { template } from "./internal/operator/default_callbacks.ts";

/**
 * The callbacks of a server. Inside a callback, `this` is the object that holds it. All are optional, and each may be `async`: the
 * server keeps serving other clients while one waits.
 *
 * - `client` is the client's address, such as `"192.168.0.7:50112"`. The methods of the server take it as their first argument.
 * - **Order.** The callbacks of one WebSocket client run one at a time and in order, open first and close last, even if they are async.
 *   HTTP requests run concurrently.
 * - **Errors.** A callback that throws or rejects never takes the server down. The error is counted and passed to
 *   {@linkcode Callbacks.onError} once, and the client sees nothing but a status.
 * - **Slow callbacks.** A callback that awaits holds up nobody else. An async callback that hasn't settled within `requestTimeout` is
 *   abandoned: an HTTP request is answered 503, and for a WebSocket client the next callback runs. A callback that computes without
 *   awaiting blocks everyone, since JavaScript has one thread.
 * - **Return values** are used from `onHTTPRequest` and `onWebSocketRequest` only. If another callback returns a promise, it is awaited.
 */
export interface Callbacks {
  /**
   * A request has arrived, with its whole body unless parameter `body` is `"stream"`.
   *
   * Return `response`, another dictionary, or a `Response` (for files, streams, server-sent events). If you return nothing,
   * the answer is 404 and a warning is counted. If you throw, or return something that cannot be sent (such as an invalid
   * status, header name or header value), the answer is 500 without details. Without this callback, every request is
   * answered 404.
   *
   * Some requests never reach this callback. The server itself refuses a body over `maxBodySize`, anything but GET, HEAD and OPTIONS from
   * pages that `origins` does not allow, and anything that is not valid HTTP.
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
   * A valid WebSocket handshake has arrived. Not in the operator.
   *
   * `response` starts as 101, `"Switching Protocols"`. If `statusCode` is still 101 in the end, the WebSocket is accepted; any other
   * status refuses it, and so does a `Response`. The dictionary passed in counts even if you return nothing. Every other key is sent as
   * a header, with 101 too. `Sec-WebSocket-Protocol` starts as the first sub-protocol that the client offers, if it offers any. Set
   * another one that it offers, or delete the key from the dictionary passed in to pick none. Throwing, or returning something that
   * cannot be sent, refuses with 500. Without this callback, every handshake that `origins` and `maxConnections` allow is accepted.
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
   * A WebSocket is open, and you can send to the client. `uri` is the path and query that it connected to, as sent. The client's
   * messages wait until this callback has settled.
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
   * A WebSocket has closed. Called exactly once for each that was opened, however it ended. You can no longer send to the client.
   *
   * `code` and `reason` are the client's or, if the server closed first, the server's. If the connection ended without a close frame, or
   * was silent for `idleTimeout`, the code is 1006 (RFC 6455, section 7.4.1). The operator passes neither.
   *
   * @example Keeping count
   * ```ts
   * import type { Callbacks } from "@webserver-dat/server/callbacks";
   *
   * const callbacks: Callbacks = {
   *   onWebSocketClose(webServer, client, code) {
   *     console.log(`${client} left with ${code}, ${webServer.webSocketConnections.length} remain`);
   *   },
   * };
   * ```
   */
  onWebSocketClose?(webServer: WebServer, client: string, code: number, reason: string): unknown;

  /**
   * A whole text message has arrived. A message larger than `maxMessageSize` closes the connection with 1009 instead. Messages that come
   * faster than an async callback settles wait, up to `maxBufferedAmount` or one message of `maxMessageSize`; beyond that, the
   * connection is closed with 1008.
   *
   * @example Sending to everyone else
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
   * A whole binary message has arrived. The limits are the same as for text. `data` is yours to keep.
   *
   * @example Sending to everyone
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
   * The server is active and answers requests. `start()` does not wait for a promise that this returns, so it may stay pending as long as
   * the server runs. Called again after every restart.
   *
   * @example Printing the address
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
   * The server has stopped: no client is connected any more, and the port is free. If this returns a promise, `stop()` waits for it, for
   * the rest of `shutdownTimeout`.
   *
   * @example Saving a counter
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
   * `"restart"`, `"set"`) that failed, or the file (`"callbacks"`, `"certificate"`) that was saved but cannot be used. Called once for
   * each error that `info().errors` counts. Without this callback, errors go to `console.error`, except that of a method whose promise the
   * program awaits, since the program gets it there; if it throws itself, both errors go there.
   *
   * @example One line for each error
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
