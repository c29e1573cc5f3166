// deno serve --parallel --port=9980 examples/parallel.ts

/**
 * One server on all cores. `deno serve --parallel` runs this file in one worker for each core (`DENO_JOBS=2` sets another
 * number). All workers listen on one port, and a client stays with the worker that accepted its connection. Workers share
 * nothing, like copies of a .toe file: each has its own variables, clients, limits and Info channels.
 *
 * - `webSocketConnections` and `webSocketBroadcast` cover the clients of this worker; `others` below reaches the rest.
 * - A worker that falls 256 messages behind misses the oldest ones, since a `BroadcastChannel` keeps no more.
 * - A limit such as `maxConnections` holds for each worker: four workers accept four times as many clients.
 * - `info()` counts this worker alone. The system decides which worker answers a request.
 * - `deno serve` owns the listener: `stop()`, `restart()` and `port` are refused, and Ctrl-C ends all workers.
 *
 * To try it, open http://localhost:9980/ in a few windows, and http://localhost:9980/info a few times. For another port,
 * change the command.
 *
 * @module
 */

import { BroadcastChannel } from "node:worker_threads";
import { WebServer } from "@webserver-dat/server";
import { pages } from "./pages/pages.ts";
import page from "./pages/relay.html" with { type: "text" };
import script from "./pages/relay.js" with { type: "text" };

/** Joins the workers: each receives what any other one posts. Node's version, which does not keep the process running. */
const others = new BroadcastChannel("parallel").unref();
others.onmessage = (event) => server.webSocketBroadcast((event as MessageEvent).data);

/** Sends to every client of every worker, once. */
function broadcast(data: string | Uint8Array): void {
  server.webSocketBroadcast(data);
  others.postMessage(data);
}

/** Identifies this worker. */
const worker = crypto.randomUUID().slice(0, 8);

const answer = pages({ "/": ["relay.html", page], "/pages/relay.js": ["relay.js", script] });

const server = new WebServer({
  name: "parallel",
  // Up to 256 messages wait for a busy worker, so their size must be limited too.
  maxMessageSize: 64 * 1024,
  callbacks: {
    onHTTPRequest(webServer, request, response) {
      if (request.uri !== "/info") return answer(request, response);
      return Response.json({ worker, ...webServer.info() });
    },
    onWebSocketOpen: (webServer, client) => webServer.webSocketSendText(client, `worker ${worker}`),
    onWebSocketReceiveText(webServer, client, data) {
      // The heartbeat of connection.js
      if (data === "") webServer.webSocketSendText(client, "");
      else broadcast(data);
    },
    onWebSocketReceiveBinary: (_webServer, _client, data) => broadcast(data),
  },
});

export default server;
