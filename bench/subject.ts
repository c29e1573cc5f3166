/** A server to measure: `subject.ts NAME CASE`. Prints its port; ends when its input does. */

import { Hono } from "hono";
import { type Callbacks, WebServer } from "../mod.ts";

type Handler = (request: Request, info: Deno.ServeHandlerInfo) => Response | Promise<Response>;

const HTML = "<b>TouchDesigner: </b>webserver1";
const JSON_TYPE = { "content-type": "application/json" };

/** Each case, done by each subject with the same bytes. The handlers have two arguments, since fewer let the runtime cut corners. */
const cases: Record<string, { bare: Handler; webserver: Callbacks | undefined; hono(app: Hono): void }> = {
  template: {
    bare: (_request, _info) => new Response(HTML, { headers: { "content-type": "text/html; charset=utf-8" } }),
    webserver: undefined,
    hono: (app) => app.all("*", (c) => c.body(HTML, 200, { "content-type": "text/html; charset=utf-8" })),
  },
  json: {
    bare(request, _info) {
      const { pathname, searchParams } = new URL(request.url);
      const answer = { uri: pathname, level: searchParams.get("level"), agent: request.headers.get("user-agent") };
      return new Response(JSON.stringify(answer), { headers: JSON_TYPE });
    },
    webserver: {
      onHTTPRequest(_webServer, request, response) {
        const answer = { uri: request.uri, level: request.pars["level"], agent: request["User-Agent"] };
        response.statusCode = 200;
        response["Content-Type"] = "application/json";
        response.data = JSON.stringify(answer);
        return response;
      },
    },
    hono: (app) =>
      app.all("*", (c) => {
        const answer = { uri: c.req.path, level: c.req.query("level"), agent: c.req.header("user-agent") };
        return c.body(JSON.stringify(answer), 200, JSON_TYPE);
      }),
  },
};

/** How each subject serves a case; the port. */
const subjects: Record<string, (chosen: (typeof cases)[string]) => number | Promise<number>> = {
  bare: ({ bare }) => serve(bare),
  hono({ hono }) {
    const app = new Hono();
    hono(app);
    return serve(app.fetch as Handler);
  },
  async webserver({ webserver: callbacks }) {
    const server = new WebServer({ port: 0, localaddress: "127.0.0.1", ...(callbacks && { callbacks }) });
    await server.start();
    return server.address!.port;
  },
};

function serve(handler: Handler): number {
  return Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, handler).addr.port;
}

const [subject, caseName] = Deno.args as [string, string];
console.log(await subjects[subject]!(cases[caseName]!));
for await (const _ of Deno.stdin.readable);
Deno.exit();
