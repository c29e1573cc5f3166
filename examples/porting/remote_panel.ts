// deno run --allow-net --allow-read=examples/porting mod.ts --callbacks examples/porting/remote_panel.ts --watch

import type { Callbacks } from "@webserver-dat/server";
import { values } from "./remote_panel_state.ts";

const page = new URL("remote_panel.html", import.meta.url);

export default {
  async onHTTPRequest(_webServer, request, response) {
    if (request.uri === "/") {
      response.statusCode = 200;
      response.data = await Deno.readTextFile(page);
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
    const change = JSON.stringify({ [name]: value });
    for (const other of webServer.webSocketConnections) {
      if (other !== client) {
        webServer.webSocketSendText(other, change);
      }
    }
  },
} satisfies Callbacks;
