// deno serve --parallel --port=9980 examples/parallel.ts

/**
 * One server on all cores. `deno serve --parallel` runs this file in a worker for each core (`DENO_JOBS=2` for another
 * number), all of them on one port; a client stays with the worker that took its connection. Nothing is shared between
 * workers, as with copies of a .toe file: each has variables, clients, limits and Info channels of its own.
 *
 * - `webSocketConnections` and `webSocketBroadcast` mean the clients of this worker; `others` below is what reaches the rest.
 * - A worker that falls 256 messages behind misses the oldest ones: that is what a `BroadcastChannel` keeps.
 * - A limit such as `maxConnections` holds for each worker: four workers take four times as many clients.
 * - `info()` counts this worker alone; which worker answers a request is up to the system.
 * - `deno serve` has the listener: `stop()`, `restart()` and `port` are refused, Ctrl-C ends all workers.
 *
 * To try it, open http://localhost:9980/ in a few windows, and http://localhost:9980/info a few times. Without a page, in the
 * console of any browser: `s = new WebSocket("ws://localhost:9980"); s.onmessage = (e) => console.log(e.data)`, then
 * `s.send("hello")`.
 *
 * @module
 */

import { BroadcastChannel } from "node:worker_threads";
import { WebServer } from "@webserver-dat/server";
import page from "./relay.html" with { type: "text" };

/** Joins the workers: what one of them posts, every other one receives. Node's, which does not keep a server from ending. */
const others = new BroadcastChannel("parallel").unref();
others.onmessage = (event) => server.webSocketBroadcast((event as MessageEvent).data);

/** To every client of every worker, once. */
function broadcast(data: string | Uint8Array): void {
  server.webSocketBroadcast(data);
  others.postMessage(data);
}

/** Which worker this is. */
const worker = crypto.randomUUID().slice(0, 8);

const server = new WebServer({
  name: "parallel",
  // Up to 256 messages of the other workers wait for a busy one, so their size must be bounded too.
  maxMessageSize: 64 * 1024,
  callbacks: {
    onHTTPRequest(webServer, request, response) {
      response.statusCode = 200;
      response.data = page;
      if (request.uri === "/info") {
        response["Content-Type"] = "application/json";
        response.data = JSON.stringify({ worker, ...webServer.info() });
      }
      return response;
    },
    onWebSocketOpen: (webServer, client) => webServer.webSocketSendText(client, `worker ${worker}`),
    onWebSocketReceiveText: (_webServer, _client, data) => broadcast(data),
    onWebSocketReceiveBinary: (_webServer, _client, data) => broadcast(data),
  },
});

export default server;
