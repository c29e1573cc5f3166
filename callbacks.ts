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
   * promise the program awaits, since the program gets it there; if it throws itself, both errors go there.
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
