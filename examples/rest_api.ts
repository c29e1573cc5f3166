// deno run --allow-net examples/rest_api.ts

/**
 * Lights that programs and web pages change with JSON:
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

/** Limits of what clients can store here: lights, characters of a name, and bytes of a request body. */
const MAX_LIGHTS = 100;
const MAX_NAME = 100;
const MAX_BODY = 4 * 1024;

const lights = new Map<string, Light>([["1", { name: "Stage", level: 0 }], ["2", { name: "Foyer", level: 0.3 }]]);
let lastId = 2;

/** A client's mistake, which the response explains. The server answers any other error with 500 and no details. */
class ClientError extends Error {
  constructor(readonly statusCode: number, message: string, readonly headers: Record<string, string> = {}) {
    super(message);
  }
}

/** Parses a light from the body. Each field is checked, since a client can send any JSON. */
async function lightOf(request: RequestDictionary): Promise<Light> {
  let body: unknown;
  try {
    body = await request.json();
  } catch {
    throw new ClientError(400, "The body is not valid JSON");
  }
  const { name, level } = Object(body);
  if (typeof name !== "string" || name === "") throw new ClientError(400, '"name" must be a string and not empty');
  if (name.length > MAX_NAME) throw new ClientError(400, `"name" must have ${MAX_NAME} characters or fewer`);
  if (typeof level !== "number" || level < 0 || level > 1) {
    throw new ClientError(400, '"level" must be a number from 0 to 1');
  }
  return { name, level };
}

interface Answer {
  statusCode: number;
  /** The body, sent as JSON. */
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
      // Check only now: other requests may have added lights while the body was read.
      if (lights.size >= MAX_LIGHTS) {
        throw new ClientError(503, `There are already ${MAX_LIGHTS} lights. Delete one first`);
      }
      const id = String(++lastId);
      lights.set(id, light);
      return { statusCode: 201, value: { id, ...light }, headers: { "Location": `/lights/${id}` } };
    }
    case "OPTIONS":
      return { statusCode: 204, headers: { "Allow": "GET, HEAD, POST, OPTIONS" } };
  }
  throw new ClientError(405, "Use GET or POST for the list", { "Allow": "GET, HEAD, POST, OPTIONS" });
}

async function one(request: RequestDictionary, id: string): Promise<Answer> {
  const light = lights.get(id);
  if (light === undefined) throw new ClientError(404, "This light does not exist");
  switch (request.method) {
    case "GET":
    case "HEAD":
      return { statusCode: 200, value: { id, ...light } };
    case "PUT": {
      const changed = await lightOf(request);
      // Check again: another request may have deleted it while the body was read.
      if (!lights.has(id)) throw new ClientError(404, "This light does not exist");
      lights.set(id, changed);
      return { statusCode: 200, value: { id, ...changed } };
    }
    case "DELETE":
      lights.delete(id);
      return { statusCode: 204 };
    case "OPTIONS":
      return { statusCode: 204, headers: { "Allow": "GET, HEAD, PUT, DELETE, OPTIONS" } };
  }
  throw new ClientError(405, "Use GET, PUT or DELETE for a light", { "Allow": "GET, HEAD, PUT, DELETE, OPTIONS" });
}

async function answer(request: RequestDictionary): Promise<Answer> {
  if (request.uri === "/") return { statusCode: 200, value: { lights: "/lights" } };
  const [, collection, id, more] = request.uri.split("/");
  if (collection !== "lights" || more !== undefined) {
    throw new ClientError(404, "Not found. Try /lights or /lights/ID");
  }
  return id === undefined ? await list(request) : await one(request, id);
}

/**
 * Headers that let web pages of other hosts use this API (CORS). Before a browser sends JSON, PUT or DELETE, it asks with
 * OPTIONS, and remembers the response for `Max-Age` seconds.
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

// Without the parameter `origins`, the server refuses changes from pages of other hosts before any callback runs. Here every
// page may change the lights. To allow only some pages, list them: origins: ["https://panel.example"].
export const server = new WebServer({ origins: "any", maxBodySize: MAX_BODY, callbacks });

if (import.meta.main) {
  await server.start();
  console.log(`Open ${server.address?.url}lights`);
}
