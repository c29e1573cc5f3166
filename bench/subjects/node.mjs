/**
 * Node's `node:http` and, for WebSockets, the npm package `ws`: `node node.mjs CASE FOLDER WS`, the last of them the URL of
 * that package, which Deno knows.
 */

import { createReadStream, readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import http from "node:http";
import https from "node:https";
import process from "node:process";
import { pipeline } from "node:stream/promises";

const [name, folder, ws] = process.argv.slice(2);

const HTML = "<b>TouchDesigner: </b>webserver1";

/** Answers with bytes or a text, with their length, as the others do. */
function send(response, type, body, headers = {}) {
  response.writeHead(200, { "content-type": type, "content-length": body.length, ...headers }).end(body);
}

const template = (_request, response) =>
  send(response, "text/html; charset=utf-8", HTML, { "x-content-type-options": "nosniff" });

/** An async listener, whose errors do not end the process: a client may break off. */
const quietly = (listener) => (request, response) => void listener(request, response).catch(() => {});

/** Answers with a file, and what a browser's cache asks for. */
async function file(_request, response) {
  const path = `${folder}/file.js`;
  const { size, mtime } = await stat(path);
  response.writeHead(200, {
    "content-type": "text/javascript; charset=utf-8",
    "content-length": size,
    "last-modified": mtime.toUTCString(),
    "etag": `W/"${size}-${mtime.getTime()}"`,
  });
  await pipeline(createReadStream(path), response);
}

const upload = quietly(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  send(response, "text/plain; charset=utf-8", String(Buffer.concat(chunks).length));
});

const bytes = (size) => new Uint8Array(size).fill(0x78);

const download = (body) => (_request, response) => send(response, "application/octet-stream", body);

const blob = new Blob([bytes(1 << 20)]);
const downloadOfBlob = quietly(async (_request, response) => {
  send(response, "application/octet-stream", new Uint8Array(await blob.arrayBuffer()));
});

const listeners = {
  template,
  https: template,
  json(request, response) {
    const { pathname, searchParams } = new URL(request.url, "http://localhost");
    const answer = { uri: pathname, level: searchParams.get("level"), agent: request.headers["user-agent"] };
    send(response, "application/json", JSON.stringify(answer));
  },
  upload,
  "upload 16 MiB": upload,
  download: download(bytes(1 << 20)),
  "download 16 MiB": download(bytes(16 << 20)),
  "download of a text": download("x".repeat(1 << 20)),
  "download of a Blob": downloadOfBlob,
  "slow readers": download(bytes(1 << 18)),
  file: quietly(file),
};

const messages = {
  echo: (_server, socket, data, binary) => socket.send(data, { binary }),
  broadcast(server, _socket, data, binary) {
    for (const each of server.clients) each.send(data, { binary });
  },
};

const server = name === "https"
  ? https.createServer(
    { cert: readFileSync(`${folder}/certificate.pem`), key: readFileSync(`${folder}/key.pem`) },
    listeners[name],
  )
  : http.createServer(listeners[name]);

// The load keeps its connections from round to round.
server.keepAliveTimeout = 0;

if (messages[name]) {
  const { WebSocketServer } = await import(ws);
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket) => {
    socket.on("message", (data, binary) => messages[name](sockets, socket, data, binary));
  });
}

server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("data", () => {
  globalThis.gc?.();
  console.log();
});
process.stdin.on("end", () => process.exit());
