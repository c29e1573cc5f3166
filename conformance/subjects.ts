/** The servers that are compared: a bare `Deno.serve`, and this project's. Each answers with the JSON of what its handler sees. */

import { type RequestDictionary, WebServer } from "../mod.ts";
import { textOf } from "./bytes.ts";

/** What a handler sees of a request. */
export interface Seen {
  readonly method: string;
  /** The path as sent. */
  readonly uri: string;
  /** The query as sorted pairs, the last one of each name. */
  readonly pars: readonly (readonly [string, string])[];
  /** Sorted pairs, several of a name joined. */
  readonly headers: readonly (readonly [string, string])[];
  /** A character for each byte. */
  readonly body: string;
  /** The address as Deno has it; of the bare server only. */
  readonly url?: string;
  /** Why the body could not be read; of the bare server only. */
  readonly fault?: string;
}

/** A running server. */
export interface Subject extends AsyncDisposable {
  readonly port: number;
  /** What the handler saw of HEAD requests, whose answers cannot show it, by the port of the client. */
  readonly heads: Map<number, Seen[]>;
  /** Errors that a callback threw, or that its answer caused. No request may do that. */
  readonly errors: unknown[];
}

function sorted(pairs: Iterable<readonly [string, string]>): [string, string][] {
  return [...pairs].map(([name, value]): [string, string] => [name, value]).sort(([one], [other]) =>
    one < other ? -1 : 1
  );
}

function remember(heads: Subject["heads"], port: number, seen: Seen): void {
  if (seen.method !== "HEAD") return;
  const list = heads.get(port);
  if (list) list.push(seen);
  else heads.set(port, [seen]);
}

function seenByFetch(request: Request): Seen {
  const { method, url } = request;
  // The address is not normalized: behind the authority it is as it was sent.
  const target = /^[^:]*:\/\/[^/?#]*([^]*)$/.exec(url)?.[1] ?? "";
  const question = target.indexOf("?");
  const path = question < 0 ? target : target.slice(0, question);
  const pars = new Map(question < 0 ? [] : new URLSearchParams(target.slice(question)));
  const names = new Set(request.headers.keys());
  return {
    method,
    uri: path.startsWith("/") ? path : `/${path}`,
    pars: sorted(pars),
    // Not by iterating over pairs: of several values, Deno drops those that are empty in front.
    headers: sorted([...names].map((name) => [name, request.headers.get(name)!])),
    body: "",
    url,
  };
}

/** Kinds of answers, of which each request gets the same one every time. */
const KINDS = ["a stream", "a Response with a stream", "a Response", "an object"] as const;

function kindOf({ uri }: Seen): typeof KINDS[number] {
  return KINDS[uri.length % KINDS.length]!;
}

/** A `Deno.serve` with nothing around it. */
export function bareServer(): Subject {
  const heads: Subject["heads"] = new Map();
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request, info) => {
    const seen = seenByFetch(request);
    remember(heads, info.remoteAddr.port, seen);
    try {
      const text = JSON.stringify({ ...seen, body: textOf(await request.bytes()) });
      // Over HTTP/2, Deno would send it.
      if (request.method === "HEAD") return new Response(null);
      return new Response(kindOf(seen).includes("stream") ? new Blob([text]).stream() : text);
    } catch (error) {
      return Response.json({ ...seen, fault: String(error) }, { status: 500 });
    }
  });
  return { port: server.addr.port, heads, errors: [], [Symbol.asyncDispose]: () => server.shutdown() };
}

/** What of the dictionary is not a header. */
const FIELDS = ["method", "uri", "pars", "clientAddress", "serverAddress", "data"];

function seenByCallback(request: RequestDictionary, body: Uint8Array): Seen {
  const { method, uri, pars } = request;
  const names = Object.keys(request).filter((name) => !FIELDS.includes(name));
  return {
    method,
    uri,
    pars: sorted(Object.entries(pars)),
    headers: sorted(names.map((name) => [name, request[name]!])),
    body: textOf(body),
  };
}

/** This project's server, with the bodies of requests in memory or as streams. */
export async function ourServer(body: "buffer" | "stream"): Promise<Subject> {
  const heads: Subject["heads"] = new Map();
  const errors: unknown[] = [];
  const server = new WebServer({
    port: 0,
    localaddress: "127.0.0.1",
    body,
    callbacks: {
      async onHTTPRequest(_webServer, request, response) {
        const seen = seenByCallback(request, body === "buffer" ? request.data : await request.raw.bytes());
        remember(heads, Number(request.clientAddress.split(":").at(-1)), seen);
        response.statusCode = 200;
        const text = JSON.stringify(seen);
        switch (kindOf(seen)) {
          case "a Response":
            return new Response(text);
          case "a Response with a stream":
            return new Response(new Blob([text]).stream());
          case "a stream":
            response.data = new Blob([text]).stream();
            return response;
          case "an object":
            response.data = { ...seen };
            return response;
        }
      },
      onError: (_webServer, error) => void errors.push(error),
    },
  });
  await server.start();
  return { port: server.address!.port, heads, errors, [Symbol.asyncDispose]: () => server.stop() };
}
