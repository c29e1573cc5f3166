/** The measure of the others: a handler of `Deno.serve` that does no more than the case asks for. */

import {
  bytes,
  folder,
  headersOf,
  HTML,
  HTML_HEADERS,
  IDLE_TIMEOUT,
  name,
  serveFile,
  subject,
  text,
} from "./subject.ts";

// The handlers have two arguments, since fewer let Deno cut corners.
type Handler = (request: Request, info: Deno.ServeHandlerInfo) => Response | Promise<Response>;

const template: Handler = (_request, _info) => new Response(HTML, { headers: HTML_HEADERS });

const upload = (): Handler => async (request, _info) => new Response(String((await request.bytes()).length));

function download(body: BodyInit): Handler {
  return (_request, _info) => new Response(body, { headers: headersOf(body) });
}

/** Upgrades, and attaches the handlers of messages. */
function sockets(onmessage: (socket: WebSocket, data: string | ArrayBuffer) => void): Handler {
  return (request, _info) => {
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: IDLE_TIMEOUT });
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => onmessage(socket, data);
    return response;
  };
}

function broadcast(): Handler {
  const open = new Set<WebSocket>();
  return (request, _info) => {
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: IDLE_TIMEOUT });
    socket.onopen = () => open.add(socket);
    socket.onclose = () => open.delete(socket);
    socket.onmessage = ({ data }) => {
      for (const each of open) each.send(data);
    };
    return response;
  };
}

const handlers: Record<string, () => Handler | Promise<Handler>> = {
  template: () => template,
  https: () => template,
  json: () => (request, _info) => {
    const { pathname, searchParams } = new URL(request.url);
    const answer = { uri: pathname, level: searchParams.get("level"), agent: request.headers.get("user-agent") };
    return new Response(JSON.stringify(answer), { headers: { "content-type": "application/json" } });
  },
  upload,
  "upload 16 MiB": upload,
  download: () => download(bytes(1 << 20)),
  "download 16 MiB": () => download(bytes(16 << 20)),
  "download of a text": () => download(text(1 << 20)),
  "download of a Blob": () => download(new Blob([bytes(1 << 20)])),
  "slow readers": () => download(bytes(1 << 18)),
  file: () => (_request, _info) => serveFile(),
  echo: () => sockets((socket, data) => socket.send(data)),
  broadcast,
};

const certificate = name === "https" && {
  cert: Deno.readTextFileSync(`${folder}/certificate.pem`),
  key: Deno.readTextFileSync(`${folder}/key.pem`),
};
const options = { port: 0, hostname: "127.0.0.1", onListen: () => {}, ...certificate };
await subject(Deno.serve(options, await handlers[name]!()).addr.port);
