/** Sends the bytes of a case to a server, and parses the answers. */

import { bytesOf, textOf } from "./bytes.ts";
import {
  ACK,
  DATA,
  END_STREAM,
  frame,
  GOAWAY,
  HEADERS,
  type HTTP2Case,
  PADDED,
  PING,
  PRIORITIZED,
  RST_STREAM,
} from "./http2.ts";
import type { Seen, Subject } from "./subjects.ts";
import { Wire } from "./wire.ts";

/** How long an exchange may take, in milliseconds. */
export interface Patience {
  /** In all. Without an end by then, it counts as late. */
  readonly deadline: number;
  /** Without an answer, until the client ends its side of the connection. */
  readonly quiet: number;
}

/** Where a case is sent. */
export type Target = Pick<Subject, "port" | "heads">;

/** One answer. */
export interface Answer {
  /** The HTTP/2 stream, or how many answers were before it. */
  readonly id: number;
  /** The status, or 0 if it has no end. */
  readonly status: number;
  /** What the handler saw, if the answer is from it. */
  readonly seen: Seen | undefined;
  /** The body as it came, or how the stream ended. */
  readonly text: string;
}

/** What came back on a connection. */
export interface Outcome {
  readonly answers: readonly Answer[];
  /** How the connection ended: "closed", "late", "error N" with the code of a GOAWAY, or what could not be understood. */
  readonly end: string;
}

function seenIn(text: string): Seen | undefined {
  if (!text.startsWith('{"method":')) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(bytesOf(text)));
  } catch {
    return undefined;
  }
}

/** The body in front of a text, and how many bytes it takes, or undefined if it is not whole. */
function bodyIn(text: string, fields: string): { body: string; size: number } | undefined {
  if (!/^transfer-encoding: chunked\r$/im.test(fields)) {
    const length = /^content-length: (\d+)\r$/im.exec(fields)?.[1];
    // Over HTTP/1.0, the end of the connection is that of the body.
    const size = Number(length ?? text.length);
    return text.length < size ? undefined : { body: text.slice(0, size), size };
  }
  let body = "";
  for (let at = 0;;) {
    const [line, digits] = /^([\da-f]+)\r\n/i.exec(text.slice(at, at + 20)) ?? [];
    if (line === undefined) return undefined;
    const size = parseInt(digits!, 16);
    const end = at + line.length + size + 2;
    if (text.slice(end - 2, end) !== "\r\n") return undefined;
    if (size === 0) return { body, size: end };
    body += text.slice(at + line.length, end - 2);
    at = end;
  }
}

/** The answers in the bytes of a connection. */
function answersIn(text: string): { answers: Answer[]; rest: string } {
  const answers: Answer[] = [];
  for (;;) {
    const [head, status, fields] = /^HTTP\/1\.[01] (\d{3})[^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n/.exec(text) ?? [];
    if (head === undefined) return { answers, rest: text };
    const behind = text.slice(head.length);
    // HEAD is answered with what a GET would have, but for the body.
    const isBodyless = behind === "" || behind.startsWith("HTTP/1.") || status === "100";
    const found = isBodyless ? { body: "", size: 0 } : bodyIn(behind, fields!);
    if (found === undefined) return { answers, rest: text };
    answers.push({ id: answers.length, status: Number(status), seen: seenIn(found.body), text: found.body });
    text = behind.slice(found.size);
  }
}

/** The answers, with what the handler saw of HEAD requests, if that can be told: it has no place in the answer. */
function withHeads(answers: Answer[], { heads }: Target, wire: Wire): Answer[] {
  const seen = heads.get(wire.port) ?? [];
  heads.delete(wire.port);
  const isOfHead = ({ status, seen }: Answer) => status === 200 && seen === undefined;
  if (answers.filter(isOfHead).length !== seen.length) return answers;
  return answers.map((answer) => isOfHead(answer) ? { ...answer, seen: seen.shift() } : answer);
}

/**
 * Sends bytes, and reads until the server ends the connection. If nothing comes, the client ends its side: not before, since
 * Deno then treats a whole body as cut off.
 */
export async function http1Exchange(subject: Target, text: string, { deadline, quiet }: Patience): Promise<Outcome> {
  using wire = await Wire.open(subject.port, deadline);
  // Reads meanwhile: a server that cannot send its answers may stop reading.
  const writing = wire.write(bytesOf(text)).then(() => wire.endAfter(quiet));
  let received = "";
  for (let bytes = await wire.read(); bytes !== undefined; bytes = await wire.read()) {
    received += textOf(bytes);
    wire.endAfter(quiet);
  }
  await writing;
  const { answers, rest } = answersIn(received);
  const end = wire.late ? "late" : rest === "" ? "closed" : `closed behind ${JSON.stringify(rest.slice(0, 80))}`;
  return { answers: withHeads(answers, subject, wire), end };
}

const PINGED = "conforms";

/** The digits of a Huffman code (RFC 7541, appendix B). */
function digits(bytes: string): string {
  const bits = Array.from(bytes, (byte) => byte.charCodeAt(0).toString(2).padStart(8, "0")).join("");
  let text = "";
  for (let at = 0; text.length < 3;) {
    const short = parseInt(bits.slice(at, at + 5), 2);
    text += short < 3 ? short : parseInt(bits.slice(at, at + 6), 2) - 22;
    at += short < 3 ? 5 : 6;
  }
  return text;
}

/** The first header of a block of an answer, which is its status. */
function statusIn(block: string): number {
  // The first block begins with the size of the table.
  if ((block.charCodeAt(0) & 0xe0) === 0x20) block = block.slice(1);
  const first = block.charCodeAt(0);
  // From the static table (RFC 7541, appendix A).
  if (first & 0x80) return [200, 204, 206, 304, 400, 404, 500][(first & 0x7f) - 8] ?? -1;
  const length = block.charCodeAt(1);
  const value = block.slice(2, 2 + (length & 0x7f));
  return Number(length & 0x80 ? digits(value) : value);
}

/** What is known of a stream. */
interface Stream {
  status: number;
  body: string;
  end: string | undefined;
}

/** Reads the frames of a server. */
class Frames {
  readonly streams = new Map<number, Stream>();
  /** The code of a GOAWAY that tells an error. */
  error: number | undefined;
  pinged = false;
  #buffer = "";

  add(text: string): void {
    this.#buffer += text;
    for (;;) {
      const length = this.#number(0, 3);
      if (!(this.#buffer.length >= 9 + length)) return;
      const payload = this.#buffer.slice(9, 9 + length);
      this.#take(this.#number(3, 1), this.#number(4, 1), this.#number(5, 4) & 0x7fffffff, payload);
      this.#buffer = this.#buffer.slice(9 + length);
    }
  }

  /** What is not a whole frame. */
  get rest(): string {
    return this.#buffer;
  }

  #number(at: number, size: number): number {
    return numberAt(this.#buffer, at, size);
  }

  #take(type: number, flags: number, id: number, payload: string): void {
    if (type === PING && flags & ACK && payload === PINGED) this.pinged = true;
    if (type === GOAWAY && numberAt(payload, 4, 4) !== 0) this.error = numberAt(payload, 4, 4);
    if (id === 0) return;
    let stream = this.streams.get(id);
    if (stream === undefined) this.streams.set(id, stream = { status: 0, body: "", end: undefined });
    if (type === RST_STREAM) stream.end ??= `reset ${numberAt(payload, 0, 4)}`;
    if (flags & PADDED && (type === DATA || type === HEADERS)) {
      payload = payload.slice(1, payload.length - payload.charCodeAt(0));
    }
    if (type === HEADERS) {
      const status = statusIn(flags & PRIORITIZED ? payload.slice(5) : payload);
      if (status >= 200 && stream.status === 0) stream.status = status;
    }
    if (type === DATA) stream.body += payload;
    if ((type === HEADERS || type === DATA) && flags & END_STREAM) stream.end ??= "";
  }
}

function numberAt(text: string, at: number, size: number): number {
  let value = 0;
  for (let index = at; index < at + size; index++) value = value * 256 + text.charCodeAt(index);
  return value;
}

/** Sends frames and a ping behind them, and reads until there are all answers, or nothing comes; then ends the connection. */
export async function http2Exchange(
  subject: Target,
  { text, streams }: HTTP2Case,
  { deadline, quiet }: Patience,
): Promise<Outcome> {
  using wire = await Wire.open(subject.port, deadline);
  const writing = wire.write(bytesOf(text + frame(PING, 0, 0, PINGED)));
  wire.endAfter(quiet);
  const frames = new Frames();
  let ended = false;
  for (let bytes = await wire.read(); bytes !== undefined; bytes = await wire.read()) {
    frames.add(textOf(bytes));
    if (ended) continue;
    ended = frames.error !== undefined ||
      (frames.pinged && streams.every((id) => frames.streams.get(id)?.end !== undefined));
    if (ended) await wire.end();
    else wire.endAfter(quiet);
  }
  await writing;
  const answers = [...frames.streams].sort(([one], [other]) => one - other)
    // A stream without an answer may be there or not, by the credit that the server gives for it.
    .filter(([_id, { status, end }]) => status !== 0 || end !== undefined)
    .map(([id, { status, body, end }]) => ({
      id,
      status: end === "" ? status : 0,
      seen: end === "" ? seenIn(body) : undefined,
      text: end === "" ? body : end ?? `${status} without an end`,
    }));
  const end = frames.error !== undefined ? `error ${frames.error}` : wire.late ? "late" : "closed";
  return { answers: withHeads(answers, subject, wire), end };
}
