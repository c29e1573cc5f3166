// deno run --lock=examples/deno.lock --allow-net examples/monitor/main.ts

import { type Callbacks, WebServer } from "@webserver-dat/server";
import { randomPassword } from "../pages/password.ts";
import { monitored } from "./monitor.ts";

/** A server of one's own: it counts its visitors, and sends messages back. `/oops` fails, to be seen in the monitor. */
const callbacks: Callbacks & { visits: number } = {
  visits: 0,

  onHTTPRequest(webServer, request, response) {
    if (request.uri === "/oops") throw new Error(`Nothing is connected to ${request.uri}`);
    response.statusCode = 200;
    response.data = `<h1>${webServer.name}</h1><p>Visit ${++this.visits}`;
    return response;
  },

  onWebSocketReceiveText(webServer, client, data) {
    webServer.webSocketSendText(client, data);
  },
};

// A password for this run only. For a monitor that stays, read it from a file or from the environment.
const password = randomPassword();

/** The one line: the callbacks are the same as before, and the monitor has the port beside the server's. */
export const server = new WebServer({ callbacks: monitored(callbacks, { users: { operator: password } }) });

if (import.meta.main) {
  await server.start();
  console.log(`Open ${server.address?.url}, and the monitor as "operator" with the password ${password}`);
}
