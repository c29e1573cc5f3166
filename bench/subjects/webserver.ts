/** This server, with callbacks as a user writes them. */

import { type Callbacks, WebServer, type WebServerParameters } from "../../mod.ts";
import { folder, IDLE_TIMEOUT, MEBIBYTE, name, serveFile, subject } from "./subject.ts";

/** The callbacks of each case; those of the template where there are none. */
const callbacks: Record<string, () => Callbacks | Promise<Callbacks>> = {
  json: () => ({
    onHTTPRequest(_webServer, request, response) {
      const answer = { uri: request.uri, level: request.pars["level"], agent: request["User-Agent"] };
      response.statusCode = 200;
      response["Content-Type"] = "application/json";
      response.data = JSON.stringify(answer);
      return response;
    },
  }),
  upload: () => ({
    onHTTPRequest(_webServer, request, response) {
      response.statusCode = 200;
      response.data = String(request.data.length);
      return response;
    },
  }),
  download: () => ({
    onHTTPRequest(_webServer, _request, response) {
      response.statusCode = 200;
      response["Content-Type"] = "application/octet-stream";
      response.data = MEBIBYTE;
      return response;
    },
  }),
  file: () => ({ onHTTPRequest: () => serveFile() }),
  broadcast: () => ({
    onWebSocketReceiveText(webServer, _client, data) {
      webServer.webSocketBroadcast(data);
    },
  }),
};

/** The parameters of each case. */
const parameters: Record<string, Partial<WebServerParameters>> = {
  https: { secure: true, privatekey: `${folder}/key.pem`, certificate: `${folder}/certificate.pem` },
  // Of the 5,000 that are idle.
  echo: { maxConnections: 10_000, idleTimeout: IDLE_TIMEOUT },
  broadcast: { idleTimeout: IDLE_TIMEOUT },
};

const own = callbacks[name];
const server = new WebServer({
  port: 0,
  localaddress: "127.0.0.1",
  ...parameters[name],
  ...(own && { callbacks: await own() }),
});
await server.start();
await subject(server.address!.port);
