/** The Info CHOP channels, the table of connections, and the counts of errors and warnings. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { WebServer } from "../mod.ts";
import { connect, deferred, disconnect, printed, rawRequest, running } from "./helpers.ts";

/** The channels of the manual. */
const CHANNELS = [
  "server_running",
  "websocket_connections",
  "num_rows",
  "num_cols",
  "total_cooks",
  "cook_time",
  "cook_frame",
  "cook_abs_frame",
  "cook_start_time",
  "cook_end_time",
  "cooked_this_frame",
  "warnings",
  "errors",
];

Deno.test("info() has every channel of the manual, and numbers only", async () => {
  await using subject = await running();
  const info = subject.server.info();
  assertEquals(Object.keys(info).sort(), CHANNELS.toSorted());
  for (const value of Object.values(info)) assert(Number.isFinite(value));
});

Deno.test("server_running, websocket_connections, num_rows and num_cols show the present state", async () => {
  const closed = deferred();
  await using subject = await running({ onWebSocketClose: () => closed.resolve() });
  const look = () => {
    const { server_running, websocket_connections, num_rows, num_cols } = subject.server.info();
    return [server_running, websocket_connections, num_rows, num_cols];
  };
  assertEquals(look(), [1, 0, 1, 4]);
  const socket = await connect(subject.url, "a?b");
  assertEquals(look(), [1, 1, 2, 4]);
  await disconnect(socket);
  await closed.promise;
  await subject.server.stop();
  assertEquals(look(), [0, 0, 1, 4]);
});

Deno.test("rows() is a header, and a row of strings for each open WebSocket", async () => {
  await using subject = await running();
  assertEquals(subject.server.rows(), [["client", "uri", "opened", "buffered"]]);
  const socket = await connect(subject.url, "room?a=b");
  const [, row] = subject.server.rows();
  assertEquals([row![0], row![1], row![3]], [subject.server.webSocketConnections[0], "/room?a=b", "0"]);
  assertMatch(row![2]!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  await disconnect(socket);
});

Deno.test("total_cooks counts callbacks since the server was made; errors and warnings since the last start, exactly", async () => {
  const server = new WebServer({
    port: 0,
    localaddress: "127.0.0.1",
    callbacks: {
      onServerStart() {},
      onHTTPRequest(_webServer, { uri }) {
        if (uri === "/throw") throw new Error("on purpose");
      },
    },
  });
  await server.start();
  const counts = () => {
    const { total_cooks, warnings, errors } = server.info();
    return [total_cooks, warnings, errors];
  };
  const { port } = server.address!;
  const said = await printed("warn", () =>
    printed("error", async () => {
      for (let count = 0; count < 3; count++) await rawRequest(port, "GET /nothing");
      for (let count = 0; count < 2; count++) await rawRequest(port, "GET /throw");
    }));
  assertEquals([counts(), said.length], [[6, 3, 2], 1]);
  server.clearErrors();
  assertEquals(counts(), [6, 0, 0]);
  await printed("warn", () => rawRequest(port, "GET /nothing"));
  assertEquals(counts(), [7, 1, 0]);
  await server.restart();
  assertEquals(counts(), [8, 0, 0]);
  await server.stop();
});

Deno.test("the cook channels describe the last callback, as long as info() is called", async () => {
  await using subject = await running({
    async onHTTPRequest(_webServer, { uri }) {
      if (uri === "/async") await new Promise((resolve) => setTimeout(resolve, 30));
      else for (const end = performance.now() + 5; performance.now() < end;);
      return new Response("x");
    },
  });
  const ask = async (uri: string) => await (await fetch(new URL(uri, subject.url))).text();
  await ask("/");
  const unwatched = subject.server.info();
  assertEquals([unwatched.cook_time, unwatched.cook_frame, unwatched.cooked_this_frame], [0, 0, 0]);
  await ask("/");
  const sync = subject.server.info();
  assert(sync.cook_time >= 5 && sync.cook_end_time - sync.cook_start_time >= 5);
  assert(sync.cook_start_time >= 0 && sync.cook_start_time < 1000 / 60);
  assert(sync.cook_frame >= 1 && sync.cook_abs_frame >= sync.cook_frame);
  await ask("/async");
  const later = subject.server.info();
  assert(later.cook_time >= 29, `${later.cook_time}`);
  assert(later.cook_abs_frame >= sync.cook_abs_frame);
  // It is 1 only within that frame, which is over by now.
  await new Promise((resolve) => setTimeout(resolve, 40));
  assertEquals(subject.server.info().cooked_this_frame, 0);
});
