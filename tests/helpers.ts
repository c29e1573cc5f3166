/** What the tests share: a server on a free loopback port, and clients that send exactly the bytes that a test wants. */

import { type Callbacks, WebServer, type WebServerParameters } from "../mod.ts";

/** A running server, and the errors of its callbacks. */
export interface Subject extends AsyncDisposable {
  readonly server: WebServer;
  readonly url: string;
  readonly port: number;
  /** The calls of `onError`: the callback, and the error. */
  readonly errors: { name: string; error: Error }[];
}

/** Starts a server on loopback, with `onError` recorded instead of printed. */
export async function running(
  callbacks: Callbacks = {},
  parameters: Partial<Omit<WebServerParameters, "active" | "callbacks">> = {},
): Promise<Subject> {
  const errors: Subject["errors"] = [];
  const server = new WebServer({
    port: 0,
    localaddress: "127.0.0.1",
    callbacks: { onError: (_webServer, error, name) => errors.push({ name, error: error as Error }), ...callbacks },
    ...parameters,
  });
  await server.start();
  const { port, url } = server.address!;
  return { server, url, port, errors, [Symbol.asyncDispose]: () => server.stop() };
}

/** A server that answers each request with the JSON of what `look` sees in it. */
export function looking(
  look: (request: Parameters<NonNullable<Callbacks["onHTTPRequest"]>>[1]) => unknown,
  parameters?: Parameters<typeof running>[1],
): Promise<Subject> {
  return running({ onHTTPRequest: async (_webServer, request) => Response.json(await look(request)) }, parameters);
}

/** Sends text over TCP unchanged, except that `\n` becomes CRLF; returns all that comes back until the server closes. */
export async function raw(port: number, text: string, hostname = "127.0.0.1"): Promise<string> {
  using connection = await Deno.connect({ port, hostname });
  await connection.write(new TextEncoder().encode(text.replaceAll("\n", "\r\n")));
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65536);
  let answer = "";
  for (let read = await connection.read(buffer); read !== null; read = await connection.read(buffer)) {
    answer += decoder.decode(buffer.subarray(0, read), { stream: true });
  }
  return answer;
}

/** Sends text over TCP (`\n` becomes CRLF), and returns the answer as soon as it is whole, by its length. */
export async function answerTo(port: number, text: string): Promise<string> {
  using connection = await Deno.connect({ port, hostname: "127.0.0.1" });
  await connection.write(new TextEncoder().encode(text.replaceAll("\n", "\r\n")));
  const decoder = new TextDecoder("latin1");
  const buffer = new Uint8Array(65536);
  let answer = "";
  for (;;) {
    const [, head, length] = /^([^]*?content-length: (\d+)[^]*?\r\n\r\n)/i.exec(answer) ?? [];
    if (head !== undefined && answer.length >= head.length + Number(length)) return answer;
    const read = await connection.read(buffer);
    if (read === null) return answer;
    answer += decoder.decode(buffer.subarray(0, read), { stream: true });
  }
}

/** Sends the head of a request that closes its connection; returns the whole answer. */
export function rawRequest(port: number, line: string, headers: string[] = ["Host: localhost"], hostname?: string) {
  return raw(port, [`${line} HTTP/1.1`, ...headers, "Connection: close", "", ""].join("\n"), hostname);
}

/** Resolves with the next event of a kind. */
export function once<Kind extends keyof WebSocketEventMap>(
  socket: WebSocket,
  kind: Kind,
): Promise<WebSocketEventMap[Kind]> {
  return new Promise((resolve) => socket.addEventListener(kind, resolve, { once: true }));
}

/** An open WebSocket to the server. */
export async function connect(url: string, uri = ""): Promise<WebSocket> {
  const socket = new WebSocket(new URL(uri, url.replace("http", "ws")));
  socket.binaryType = "arraybuffer";
  await once(socket, "open");
  return socket;
}

/** Sends text or bytes, and resolves with the message that comes next. */
export async function replyTo(socket: WebSocket, sent: string | Uint8Array<ArrayBuffer>): Promise<string | Uint8Array> {
  const reply = once(socket, "message");
  socket.send(sent);
  const { data } = await reply;
  return typeof data === "string" ? data : new Uint8Array(data);
}

/** Closes a WebSocket and waits until that is done. */
export async function disconnect(socket: WebSocket, code?: number, reason?: string): Promise<CloseEvent> {
  const closed = once(socket, "close");
  socket.close(code, reason);
  return await closed;
}

/** A promise to be kept from outside: how a test waits for a callback. */
export function deferred<Value = void>(): PromiseWithResolvers<Value> {
  return Promise.withResolvers<Value>();
}

/** A text in UTF-16 with its byte order mark, as Windows PowerShell writes it. */
export function utf16(text: string, littleEndian: boolean): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(2 * text.length + 2));
  [0xfeff, ...text.split("").map((unit) => unit.charCodeAt(0))].forEach((unit, index) =>
    bytes.setUint16(2 * index, unit, littleEndian)
  );
  return new Uint8Array(bytes.buffer);
}

/** Silences `console` while `body` runs; returns what it would have printed. */
export async function printed(method: "error" | "warn" | "log", body: () => Promise<unknown>): Promise<unknown[][]> {
  const lines: unknown[][] = [];
  const original = console[method];
  console[method] = (...values: unknown[]) => lines.push(values);
  try {
    await body();
  } finally {
    console[method] = original;
  }
  return lines;
}
