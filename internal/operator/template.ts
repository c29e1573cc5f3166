// deno-lint-ignore-file no-unused-vars

import type { HTTPAnswer, RequestDictionary, ResponseDictionary, WebServer } from "../../mod.ts";

// The callbacks of a Web Server DAT. Delete those that you do not need. Each may be async, and each may throw: the server
// keeps running, counts the error and prints it.
// To check the types, run this in the folder of this file: deno check callbacks.ts
//
// webServer   the operator: webSocketSendText(client, data), webSocketSendBinary(client, data), webSocketClose(client),
//             webSocketConnections (all clients), authenticateBasic(token, userPasswords), set({ ... }), info()
// client      the address of a WebSocket client, as in "192.168.0.7:50112": the first argument of these methods

/**
 * A request has arrived, with its whole body. Return the answer; if you return nothing, it is 404.
 *
 * @param request `method`, `uri` (no query), `pars` (the query), `clientAddress`, `serverAddress`, `data` (the body, as
 * bytes; `await request.text()`, `request.json()` and `request.formData()` read it), and each header:
 * `request["Authorization"]`
 * @param response `statusCode`, `statusReason`, `data` (text, bytes, a Blob, a stream, or an object to send as JSON); every
 * other key is sent as a header: `response["Content-Type"] = "image/jpeg"`
 */
export function onHTTPRequest(
  webServer: WebServer,
  request: RequestDictionary,
  response: ResponseDictionary,
): HTTPAnswer | Promise<HTTPAnswer> {
  response.statusCode = 200;
  response.statusReason = "OK";
  response.data = `<b>TouchDesigner: </b>${webServer.name}`;
  return response;
}

/** A WebSocket is open, and you can send to the client. `uri` is the path and query that it connected to. */
export function onWebSocketOpen(webServer: WebServer, client: string, uri: string): void | Promise<void> {
}

/** A WebSocket has closed; called once for each that was opened. `code` is 1006 if the connection ended without a close. */
export function onWebSocketClose(
  webServer: WebServer,
  client: string,
  code: number,
  reason: string,
): void | Promise<void> {
}

/** A text message has arrived. The messages of one client are handled one after the other. */
export function onWebSocketReceiveText(webServer: WebServer, client: string, data: string): void | Promise<void> {
  webServer.webSocketSendText(client, data);
}

/** A binary message has arrived. */
export function onWebSocketReceiveBinary(
  webServer: WebServer,
  client: string,
  data: Uint8Array<ArrayBuffer>,
): void | Promise<void> {
  webServer.webSocketSendBinary(client, data);
}

/** The server is active. */
export function onServerStart(webServer: WebServer): void | Promise<void> {
}

/** The server has stopped: no client is connected any more. */
export function onServerStop(webServer: WebServer): void | Promise<void> {
}

// Two more callbacks, which the operator does not have:
//
// /** A client asks to open a WebSocket. Any `statusCode` other than 101, such as 401 or 403, refuses it. */
// export function onWebSocketRequest(
//   webServer: WebServer,
//   request: RequestDictionary,
//   response: ResponseDictionary,
// ): HTTPAnswer | Promise<HTTPAnswer> {
//   return response;
// }
//
// /** Something went wrong in the callback or method of this name. Without this function, the error is printed. */
// export function onError(webServer: WebServer, error: unknown, callbackName: string): void {
//   console.error(`${webServer.name}: ${callbackName} failed`, error);
// }
