// deno run --allow-net --allow-read=examples/porting mod.ts --callbacks examples/porting/json_api.ts --origins http://panel.local:8080

import type { Callbacks } from "@webserver-dat/server";

const values = new Map([["level", 0.5], ["speed", 1]]);

export default {
  async onHTTPRequest(_webServer, request, response) {
    const origin = "http://panel.local:8080";
    response["Access-Control-Allow-Origin"] = origin;
    if (request.method === "OPTIONS") {
      response["Access-Control-Allow-Methods"] = "GET, PUT";
      response["Access-Control-Allow-Headers"] = "Content-Type";
      response.statusCode = 204;
      return response;
    }

    const name = request.uri.replace("/values/", "");
    let answer: unknown;
    if (request.uri === "/" || request.uri === "/values") {
      answer = Object.fromEntries(values);
    } else if (!values.has(name)) {
      return response;
    } else if (request.method === "PUT") {
      const value = await request.json().catch(() => undefined);
      if (typeof value !== "number") {
        response.statusCode = 400;
        response.data = "Send a number as JSON";
        return response;
      }
      values.set(name, value);
      answer = value;
    } else {
      answer = values.get(name);
    }
    response.statusCode = 200;
    response["Content-Type"] = "application/json";
    response.data = JSON.stringify(answer);
    return response;
  },
} satisfies Callbacks;
