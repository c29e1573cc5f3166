/** Bun's own server: `bun run bun.mjs CASE FOLDER`. */

const [name, folder] = process.argv.slice(2);

const HTML = "<b>TouchDesigner: </b>webserver1";
const HTML_HEADERS = { "content-type": "text/html; charset=utf-8", "x-content-type-options": "nosniff" };

const template = () => new Response(HTML, { headers: HTML_HEADERS });
const upload = async (request) => new Response(String((await request.arrayBuffer()).byteLength));

const bytes = (size) => new Uint8Array(size).fill(0x78);

function download(body) {
  return () => new Response(body, { headers: { "content-type": "application/octet-stream" } });
}

/** Answers with the file, and what a browser's cache asks for. */
async function file() {
  const content = Bun.file(`${folder}/file.js`);
  const { size, mtime } = await content.stat();
  return new Response(content, {
    headers: {
      "content-type": "text/javascript; charset=utf-8",
      "last-modified": mtime.toUTCString(),
      "etag": `W/"${size}-${mtime.getTime()}"`,
    },
  });
}

const handlers = {
  template,
  https: template,
  json(request) {
    const { pathname, searchParams } = new URL(request.url);
    const answer = { uri: pathname, level: searchParams.get("level"), agent: request.headers.get("user-agent") };
    return Response.json(answer);
  },
  upload,
  "upload 16 MiB": upload,
  download: download(bytes(1 << 20)),
  "download 16 MiB": download(bytes(16 << 20)),
  "download of a text": download("x".repeat(1 << 20)),
  "download of a Blob": download(new Blob([bytes(1 << 20)])),
  "slow readers": download(bytes(1 << 18)),
  file,
};

const messages = {
  echo: (_server, socket, data) => socket.send(data),
  broadcast: (server, _socket, data) => server.publish("everybody", data),
};

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  ...(name === "https" && { tls: { cert: Bun.file(`${folder}/certificate.pem`), key: Bun.file(`${folder}/key.pem`) } }),
  // The load answers no ping, and most clients of a broadcast send nothing.
  idleTimeout: 0,
  fetch(request, server) {
    if (messages[name]) return server.upgrade(request) ? undefined : new Response("No handshake", { status: 400 });
    return handlers[name](request);
  },
  websocket: {
    idleTimeout: 0,
    perMessageDeflate: false,
    open: (socket) => socket.subscribe("everybody"),
    message: (socket, data) => messages[name](server, socket, data),
  },
});

console.log(server.port);
process.stdin.on("data", () => {
  Bun.gc(true);
  console.log();
});
process.stdin.on("end", () => process.exit());
