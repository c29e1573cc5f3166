// deno run --allow-net examples/rest_api.ts

/**
 * Lights that other programs and other pages set by JSON:
 *
 *     curl localhost:9980/lights
 *     curl localhost:9980/lights -d '{ "name": "Door", "level": 0.5 }'
 *     curl localhost:9980/lights/1 -X PUT -d '{ "name": "Stage", "level": 1 }'
 *     curl localhost:9980/lights/1 -X DELETE
 *
 * @module
 */

import { type Callbacks, type RequestDictionary, WebServer } from "@webserver-dat/server";

interface Light {
  name: string;
  /** 0 is off, 1 is full. */
  level: number;
}

/** Lights, characters of a name, and bytes of a body: the most that clients can make this program hold. */
const MAX_LIGHTS = 100;
const MAX_NAME = 100;
const MAX_BODY = 4 * 1024;

const lights = new Map<string, Light>([["1", { name: "Stage", level: 0 }], ["2", { name: "Foyer", level: 0.3 }]]);
let lastId = 2;

/** What a client did wrong, which the answer is to say. Any other error of a callback is answered 500, without details. */
class ClientError extends Error {
  constructor(readonly statusCode: number, message: string, readonly headers: Record<string, string> = {}) {
    super(message);
  }
}

/** A light from a body. JSON is whatever the client sent, so each field is looked at. */
async function lightOf(request: RequestDictionary): Promise<Light> {
  let body: unknown;
  try {
    body = await request.json();
  } catch {
    throw new ClientError(400, "The body is no JSON");
  }
  const { name, level } = Object(body);
  if (typeof name !== "string" || name === "") throw new ClientError(400, '"name" must be a text');
  if (name.length > MAX_NAME) throw new ClientError(400, `"name" must have ${MAX_NAME} characters or fewer`);
  if (typeof level !== "number" || level < 0 || level > 1) throw new ClientError(400, '"level" must be 0 to 1');
  return { name, level };
}

interface Answer {
  statusCode: number;
  /** Sent as JSON. */
  value?: unknown;
  headers?: Record<string, string>;
}

async function list(request: RequestDictionary): Promise<Answer> {
  switch (request.method) {
    case "GET":
    case "HEAD":
      return { statusCode: 200, value: Array.from(lights, ([id, light]) => ({ id, ...light })) };
    case "POST": {
      const light = await lightOf(request);
      // Checked after the wait: other requests may have added lights meanwhile.
      if (lights.size >= MAX_LIGHTS) {
        throw new ClientError(503, `There are ${MAX_LIGHTS} lights already, delete one first`);
      }
      const id = String(++lastId);
      lights.set(id, light);
      return { statusCode: 201, value: { id, ...light }, headers: { "Location": `/lights/${id}` } };
    }
    case "OPTIONS":
      return { statusCode: 204, headers: { "Allow": "GET, HEAD, POST, OPTIONS" } };
  }
  throw new ClientError(405, "The list takes GET and POST", { "Allow": "GET, HEAD, POST, OPTIONS" });
}

async function one(request: RequestDictionary, id: string): Promise<Answer> {
  const light = lights.get(id);
  if (light === undefined) throw new ClientError(404, "There is no such light");
  switch (request.method) {
    case "GET":
    case "HEAD":
      return { statusCode: 200, value: { id, ...light } };
    case "PUT": {
      const changed = await lightOf(request);
      // While the body was looked at, another request may have deleted it.
      if (!lights.has(id)) throw new ClientError(404, "There is no such light");
      lights.set(id, changed);
      return { statusCode: 200, value: { id, ...changed } };
    }
    case "DELETE":
      lights.delete(id);
      return { statusCode: 204 };
    case "OPTIONS":
      return { statusCode: 204, headers: { "Allow": "GET, HEAD, PUT, DELETE, OPTIONS" } };
  }
  throw new ClientError(405, "A light takes GET, PUT and DELETE", { "Allow": "GET, HEAD, PUT, DELETE, OPTIONS" });
}

async function answer(request: RequestDictionary): Promise<Answer> {
  const [, collection, id, more] = request.uri.split("/");
  if (collection !== "lights" || more !== undefined) {
    throw new ClientError(404, "There are only /lights and /lights/ID");
  }
  return id === undefined ? await list(request) : await one(request, id);
}

/**
 * What lets the pages of other hosts read the answers (CORS). The browser asks by OPTIONS before it sends JSON, PUT or
 * DELETE, and remembers for `Max-Age` seconds that it may.
 */
const cors = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, DELETE",
  "Access-Control-Allow-Headers": "Content-Type",
  "Access-Control-Max-Age": 600,
};

const callbacks: Callbacks = {
  async onHTTPRequest(_webServer, request, response) {
    let result: Answer;
    try {
      result = await answer(request);
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      const { statusCode, message, headers } = error;
      result = { statusCode, value: { error: message }, headers };
    }
    response.statusCode = result.statusCode;
    response.headers = { ...cors, ...result.headers };
    if (result.value !== undefined) {
      response["Content-Type"] = "application/json";
      response.data = JSON.stringify(result.value);
    }
    return response;
  },
};

// By itself the server refuses what other hosts' pages want to change, before any callback runs. Anyone's page may change
// these lights; list the pages that may where that is too much: origins: ["https://panel.example"].
export const server = new WebServer({ origins: "any", maxBodySize: MAX_BODY, callbacks });

if (import.meta.main) {
  await server.start();
  console.log(`Open ${server.address?.url}lights`);
}
