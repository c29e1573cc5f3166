/** This server, with callbacks as a user writes them. */

import { type Callbacks, WebServer, type WebServerParameters } from "../../mod.ts";
import { bytes, folder, IDLE_TIMEOUT, name, serveFile, subject, text } from "./subject.ts";

const upload = (): Callbacks => ({
  onHTTPRequest(_webServer, request, response) {
    response.statusCode = 200;
    response.data = String(request.data.length);
    return response;
  },
});

function download(body: string | Uint8Array | Blob): Callbacks {
  return {
    onHTTPRequest(_webServer, _request, response) {
      response.statusCode = 200;
      response["Content-Type"] = "application/octet-stream";
      response.data = body;
      return response;
    },
  };
}

/** The callbacks of each case; a case without any has those of the template. */
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
  upload,
  "upload 16 MiB": upload,
  download: () => download(bytes(1 << 20)),
  "download 16 MiB": () => download(bytes(16 << 20)),
  "download of a text": () => download(text(1 << 20)),
  "download of a Blob": () => download(new Blob([bytes(1 << 20)])),
  "slow readers": () => download(bytes(1 << 18)),
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
