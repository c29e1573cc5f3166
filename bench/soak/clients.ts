/**
 * Clients that behave: `clients.ts PORT`. They ask, upload, download and talk over WebSockets until a line comes in, and answer it
 * with a line of JSON: what they did, and what they lost.
 *
 * A request is lost if its answer is cut off, is wrong, or does not come within 30 seconds; if a callback ran for it and no answer
 * came (the server sees the same number twice then); or if it was refused for longer than ten seconds. A refusal is a 503, or a
 * connection that is refused, or closed before the first byte of an answer: a restart may do that, and the client tries again
 * with the same number. A WebSocket is lost if it ends by itself with another code than 1001, which a restart sends, if an echo is
 * wrong or does not come within 30 seconds, or if it cannot be opened for longer than ten seconds.
 */

import { WebSocket } from "npm:ws@8.23.0";
import { linesOf } from "../../tests/support/program.ts";
import { HTTPClient, Refused } from "./http_client.ts";

const PATIENCE = 10_000;
const TIMEOUT = 30_000;

const port = Number(Deno.args[0]);
const report = {
  requests: 0,
  refusals: 0,
  sockets: 0,
  messages: 0,
  closedByRestart: 0,
  droppedByRestart: 0,
  faults: [] as string[],
};
let ending = false;

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Tries until `attempt` returns a result, rather than undefined for a refusal. If that takes too long, it is a fault. */
async function persistently<Value>(
  what: string,
  attempt: () => Promise<Value | undefined>,
): Promise<Value | undefined> {
  for (const start = performance.now(); performance.now() < start + PATIENCE; await pause(20)) {
    const result = await attempt();
    if (result !== undefined) return result;
    report.refusals++;
  }
  report.faults.push(`${what} was refused for ${PATIENCE} ms`);
  return undefined;
}

/** A kind of request: what is asked, and what must come back for a number. */
interface Kind {
  readonly method: string;
  readonly uri: string;
  readonly body?: Uint8Array<ArrayBuffer>;
  isRight(body: Uint8Array<ArrayBuffer>, id: number): boolean;
}

const upload = crypto.getRandomValues(new Uint8Array(65_536));
const checksum = upload.reduce((sum, byte) => (sum * 31 + byte) >>> 0, 0);
const text = (body: Uint8Array) => new TextDecoder().decode(body);

const kinds: Kind[] = [
  { method: "GET", uri: "/", isRight: (body, id) => text(body) === String(id) },
  { method: "GET", uri: "/slow", isRight: (body, id) => text(body) === String(id) },
  { method: "POST", uri: "/upload", body: upload, isRight: (body, id) => text(body) === `${id} ${checksum}` },
  {
    method: "GET",
    uri: "/download",
    isRight: (body) => body.length === 1 << 20 && body.every((byte) => byte === 0x78),
  },
];

/** A client that sends requests of one kind, one after the other. */
async function ask(name: string, { method, uri, body, isRight }: Kind): Promise<void> {
  using client = new HTTPClient(port);
  for (let id = 0; !ending; id++) {
    const what = `Request ${id} of client ${name} (${method} ${uri})`;
    try {
      const answer = await persistently(what, async () => {
        try {
          const answer = await client.request(method, `${uri}?client=${name}&id=${id}`, body);
          return answer.status === 503 ? undefined : answer;
        } catch (error) {
          if (error instanceof Refused) return undefined;
          throw error;
        }
      });
      report.requests++;
      if (answer !== undefined && (answer.status !== 200 || !isRight(answer.body, id))) {
        report.faults.push(`${what} got a wrong answer: ${answer.status}`);
      }
    } catch (error) {
      report.faults.push(`${what}: ${(error as Error).message}`);
    }
    await pause(Math.random() * 20);
  }
}

/** An open WebSocket, or undefined where it is refused. */
function open(): Promise<WebSocket | undefined> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/talk`);
    socket.once("open", () => resolve(socket));
    // Also for a 503. Errors after the opening are followed by a close.
    socket.on("error", () => resolve(undefined));
  });
}

/** The next echo, or undefined when the socket is closed first. */
function echo(socket: WebSocket): Promise<string | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => settle("nothing"), TIMEOUT);
    const settle = (data: string | undefined) => {
      clearTimeout(timer);
      socket.off("message", onMessage);
      socket.off("close", onClose);
      resolve(data);
    };
    const onMessage = (data: Uint8Array) => settle(data.toString());
    const onClose = () => settle(undefined);
    socket.on("message", onMessage);
    socket.on("close", onClose);
  });
}

/** A client that opens one WebSocket after the other, each for a few messages. */
async function talk(name: string): Promise<void> {
  while (!ending) {
    const socket = await persistently(`A WebSocket of client ${name}`, open);
    if (socket === undefined) continue;
    report.sockets++;
    const closed = new Promise<number>((resolve) => socket.once("close", resolve));
    const count = Math.ceil(Math.random() * 200);
    for (let id = 0; id < count && !ending && socket.readyState === WebSocket.OPEN; id++) {
      const sent = `${name} ${id} ${"x".repeat(Math.random() * 1000)}`;
      socket.send(sent);
      const received = await echo(socket);
      if (received === undefined) break;
      report.messages++;
      if (received !== sent) {
        report.faults.push(`A WebSocket of client ${name} got a wrong echo: ${received.slice(0, 40)}`);
      }
      await pause(Math.random() * 40);
    }
    if (socket.readyState === WebSocket.OPEN) socket.close(1000);
    const code = await closed;
    if (code === 1001) report.closedByRestart++;
    // A client that sends in the very moment of a close is dropped by Deno before it has the close. The server tells whether
    // there was one.
    else if (code === 1006) report.droppedByRestart++;
    else if (code !== 1000) {
      report.faults.push(`A WebSocket of client ${name} ended with ${code} after ${Math.round(performance.now())} ms`);
    }
  }
}

const everybody = [
  ...kinds.flatMap((kind) => ["a", "b", "c"].map((letter) => ask(`${kind.uri.slice(1)}${letter}`, kind))),
  ...["A", "B", "C", "D", "E", "F", "G", "H"].map(talk),
];
console.log("ready");
for await (const _line of linesOf(Deno.stdin.readable)) {
  ending = true;
  await Promise.all(everybody);
  console.log(JSON.stringify(report));
}
Deno.exit();
