// deno run --lock=examples/deno.lock --allow-net examples/monitor/main.ts

import { type Callbacks, WebServer } from "@webserver-dat/server";
import { pages, show, smallPage } from "../pages/pages.ts";
import { randomPassword } from "../pages/password.ts";
import { monitored } from "./monitor.ts";

const answer = pages({});

/** Your own server, for example: it counts visits and echoes messages. `/oops` throws an error, for the monitor to show. */
const callbacks: Callbacks & { visits: number } = {
  visits: 0,

  onHTTPRequest(webServer, request, response) {
    if (request.uri === "/oops") throw new Error(`Nothing is connected to ${request.uri}`);
    if (request.uri !== "/") return answer(request, response);
    return show(request, response, smallPage(webServer.name, `<p class="card">Visit ${++this.visits}</p>`));
  },

  onWebSocketReceiveText(webServer, client, data) {
    webServer.webSocketSendText(client, data);
  },
};

// A password for this run only. For a permanent monitor, read it from a file or from the environment.
const password = randomPassword();

/** `monitored()` is all it takes. The callbacks stay as they were, and the monitor listens on the port after the server's. */
export const server = new WebServer({ callbacks: monitored(callbacks, { users: { operator: password } }) });

if (import.meta.main) {
  await server.start();
  console.log(`Open ${server.address?.url}, and the monitor as "operator" with the password ${password}`);
}
