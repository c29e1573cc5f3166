/** Compares how two echo servers treat WebSocket frames. */

import { CLOSE, PONG } from "../tests/support/frame.ts";
import { RawWebSocket } from "../tests/support/raw_websocket.ts";
import { WebServer } from "../mod.ts";
import { bytesOf, escaped, number, textOf } from "./bytes.ts";
import { type Case, compareCases, type Comparison, type Report } from "./comparing.ts";
import { PROBE, WEBSOCKET_CASES, type WebSocketCase } from "./websocket_cases.ts";

/** Milliseconds for a case, at first and again. */
const FIRST = 4000;
const AGAIN = 8000;
/** Characters of a frame that are printed. */
const MOST_SHOWN = 2000;
const MAX_MESSAGE_SIZE = 2 * 1024 * 1024;

/** A close, as the server's code sees it. */
interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** An echo server. */
interface Echo extends AsyncDisposable {
  readonly port: number;
  /** The closes that will be reported, by the port of the client. */
  readonly closes: Map<number, PromiseWithResolvers<Closed>>;
  readonly errors: unknown[];
}

/** An echo with nothing around it. */
function bareEcho(): Echo {
  const closes: Echo["closes"] = new Map();
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request, info) => {
    const { port } = info.remoteAddr;
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => socket.readyState === WebSocket.OPEN && socket.send(data));
    socket.addEventListener("close", ({ code, reason }) => closes.get(port)?.resolve({ code, reason }));
    // An error is followed by a close.
    socket.addEventListener("error", (event) => event.preventDefault());
    return response;
  });
  return { port: server.addr.port, closes, errors: [], [Symbol.asyncDispose]: () => server.shutdown() };
}

/** This project's server as an echo. */
async function ourEcho(): Promise<Echo> {
  const closes: Echo["closes"] = new Map();
  const errors: unknown[] = [];
  const server = new WebServer({
    port: 0,
    localaddress: "127.0.0.1",
    maxMessageSize: MAX_MESSAGE_SIZE,
    // Each case has its own deadline, and Deno keeps a process for half of the time-out after a connection has broken.
    idleTimeout: 0,
    callbacks: {
      onWebSocketReceiveText: (webServer, client, data) => void webServer.webSocketSendText(client, data),
      onWebSocketReceiveBinary: (webServer, client, data) => void webServer.webSocketSendBinary(client, data),
      onWebSocketClose: (_webServer, client, code, reason) =>
        closes.get(Number(client.split(":").at(-1)))?.resolve({ code, reason }),
      onError: (_webServer, error) => void errors.push(error),
    },
  });
  await server.start();
  return { port: server.address!.port, closes, errors, [Symbol.asyncDispose]: () => server.stop() };
}

/** The result of a case. */
interface Outcome {
  /** The frames of the server: opcode and payload. */
  readonly frames: readonly string[];
  /** "ended", or "late" if the connection was open at the deadline. */
  readonly end: string;
  /** The close that was reported to the server's code. */
  readonly closed: Closed;
}

async function outcomeOf(
  { steps, leaves }: WebSocketCase,
  { port, closes }: Echo,
  milliseconds: number,
): Promise<Outcome> {
  using raw = await RawWebSocket.open(port);
  const client = raw.connection.localAddr.port;
  const closed = Promise.withResolvers<Closed>();
  closes.set(client, closed);
  let late = false;
  const deadline = setTimeout(() => {
    late = true;
    raw[Symbol.dispose]();
  }, milliseconds);
  const frames: string[] = [];
  let open = true;
  /** Reads that many frames, or up to the pong of a probe, or to the end. */
  const read = async (answers: number | "probe") => {
    for (let count = 0; open && (answers === "probe" || count < answers); count++) {
      const frame = await raw.frame();
      open = frame !== undefined;
      if (frame === undefined) return;
      const text = textOf(frame.payload);
      frames.push(`${frame.opcode} ${text}`);
      if (answers === "probe" && frame.opcode === PONG && text === PROBE) return;
    }
  };
  await raw.head();
  for (const { bytes, answers } of steps) {
    if (!open) break;
    // The server may end the connection meanwhile.
    const writing = raw.write(bytesOf(bytes)).catch(() => {});
    await read(answers);
    await writing;
  }
  if (leaves) await raw.connection.closeWrite().catch(() => {});
  await read(Infinity);
  clearTimeout(deadline);
  // The client leaves now, so that every server reports a close.
  raw[Symbol.dispose]();
  const timer = setTimeout(() => closed.resolve({ code: -1, reason: "not reported" }), milliseconds);
  const reported = await closed.promise;
  clearTimeout(timer);
  closes.delete(client);
  return { frames, end: late ? "late" : "ended", closed: reported };
}

const TOO_LARGE = `Messages are limited to ${MAX_MESSAGE_SIZE} bytes`;

/** A difference that is wanted. */
interface Wanted {
  /** One sentence. */
  readonly why: string;
  /** What this server should do where the bare one does what it did, or undefined where it should do the same. */
  expected(bare: Outcome): Outcome | undefined;
}

const WANTED: readonly Wanted[] = [
  {
    why: "a message larger than maxMessageSize is not echoed, but closes the connection with 1009",
    expected(bare) {
      const at = bare.frames.findIndex((frame) => frame.length - "2 ".length > MAX_MESSAGE_SIZE);
      if (at < 0) return undefined;
      const frames = [...bare.frames.slice(0, at), `${CLOSE} ${number(1009, 2)}${TOO_LARGE}`];
      return { ...bare, frames, closed: { code: 1009, reason: TOO_LARGE } };
    },
  },
  {
    why: "a connection that ends without a right close is reported with 1006, which Deno reports with 0",
    expected: (bare) => bare.closed.code === 0 ? { ...bare, closed: { ...bare.closed, code: 1006 } } : undefined,
  },
];

function compare(bare: Outcome, ours: Outcome): Comparison {
  const reasons = new Set<string>();
  let expected = bare;
  for (const { why, expected: change } of WANTED) {
    const changed = change(expected);
    if (changed) reasons.add(why);
    expected = changed ?? expected;
  }
  const unexpected = (["frames", "end", "closed"] as const).filter((field) =>
    JSON.stringify(expected[field]) !== JSON.stringify(ours[field])
  );
  return { unexpected, reasons };
}

function shownOutcome({ frames, end, closed }: Outcome): string {
  const lines = [...frames.map(shortened), `${end}, reported as ${JSON.stringify(closed)}`];
  return lines.map((line) => `    ${line}`).join("\n");
}

function shortened(text: string): string {
  const line = escaped(text);
  return line.length > MOST_SHOWN ? `${line.slice(0, MOST_SHOWN)}...` : line;
}

function caseFor(each: WebSocketCase, bare: Echo, ours: Echo): Case {
  return async (attempt) => {
    const deadline = attempt === 0 ? FIRST : AGAIN;
    const outcomes = await Promise.all([outcomeOf(each, bare, deadline), outcomeOf(each, ours, deadline)]);
    const comparison = compare(...outcomes);
    const shown = () =>
      `WebSocket, ${each.name}: ${comparison.unexpected.join(", ")}\n` +
      `  sent ${each.steps.map(({ bytes }) => escaped(bytes)).join(", then ")}\n` +
      `  Deno.serve:\n${shownOutcome(outcomes[0])}\n  this server:\n${shownOutcome(outcomes[1])}`;
    return { ...comparison, shown };
  };
}

/** Sends the frames of each case to an echo of a bare `Deno.serve` and of this project's server, and compares what comes back. */
export async function compareWebSockets(milliseconds: number): Promise<Report> {
  await using bare = bareEcho();
  await using ours = await ourEcho();
  const report = await compareCases(WEBSOCKET_CASES.map((each) => caseFor(each, bare, ours)), milliseconds);
  for (const error of ours.errors) report.unexpected.push(`WebSocket: a callback failed: ${Deno.inspect(error)}`);
  return report;
}
