// deno run --allow-net --allow-read=. mod.ts --callbacks examples/porting/remote_panel.ts --watch

import type { Callbacks } from "@webserver-dat/server";
import { TouchDesigner } from "@webserver-dat/server/touchdesigner";
import { values } from "./remote_panel_state.ts";

const { op } = new TouchDesigner();

export default {
  async onHTTPRequest(_webServer, request, response) {
    if (request.uri === "/") {
      response.statusCode = 200;
      response.data = await op("page").text;
    }
    return response;
  },

  onWebSocketOpen(webServer, client) {
    const all = JSON.stringify(Object.fromEntries(values));
    webServer.webSocketSendText(client, all);
  },

  onWebSocketReceiveText(webServer, client, data) {
    const { name, value } = JSON.parse(data);
    if (!values.has(name) || typeof value !== "number") return;
    values.set(name, value);
    op("panel").store("values", Object.fromEntries(values));
    const change = JSON.stringify({ [name]: value });
    for (const other of webServer.webSocketConnections) {
      if (other !== client) {
        webServer.webSocketSendText(other, change);
      }
    }
  },
} satisfies Callbacks;
