/** The callbacks of the soak. It writes copies of them with another version, which are reloaded. */

import type { Callbacks } from "@webserver-dat/server/callbacks";
import type { Ledger } from "./ledger.ts";

const VERSION = 0;
const { ledger, download } = globalThis as unknown as { ledger: Ledger; download: Uint8Array<ArrayBuffer> };

/** Takes longer than a request usually does: a restart has to wait for it. */
async function slowly<Value>(value: Value): Promise<Value> {
  await new Promise((resolve) => setTimeout(resolve, 200));
  return value;
}

export const onHTTPRequest: Callbacks["onHTTPRequest"] = (_webServer, request, response) => {
  const { uri, pars: { client, id } } = request;
  if (client !== undefined) ledger.request(client, Number(id));
  response.statusCode = 200;
  switch (uri) {
    case "/version":
      response.data = String(VERSION);
      return response;
    case "/upload":
      response.data = `${id} ${request.data.reduce((sum, byte) => (sum * 31 + byte) >>> 0, 0)}`;
      return response;
    case "/download":
      response.data = download;
      return response;
    case "/slow":
      response.data = id!;
      return slowly(response);
    default:
      response.data = id ?? "";
      return response;
  }
};

export const onWebSocketOpen: Callbacks["onWebSocketOpen"] = (_webServer, client, uri) => ledger.open(client, uri);

export const onWebSocketClose: Callbacks["onWebSocketClose"] = (_webServer, client, code) => ledger.close(client, code);

export const onWebSocketReceiveText: Callbacks["onWebSocketReceiveText"] = (webServer, client, data) => {
  ledger.message(client);
  webServer.webSocketSendText(client, data);
};

export const onWebSocketReceiveBinary: Callbacks["onWebSocketReceiveBinary"] = (webServer, client, data) => {
  ledger.message(client);
  webServer.webSocketSendBinary(client, data);
};

// Misfits cause errors on purpose; `info()` counts them.
export const onError: Callbacks["onError"] = () => {};
