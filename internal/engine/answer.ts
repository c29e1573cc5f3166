/** Makes answers that `Deno.serve` sends correctly: with their length, in pieces if they are large, and without a body to HEAD. */

import { STATUS_TEXT } from "@std/http/status";
import { bodyOfHead, contentOf, freezeHeaders, keepFreedMemory, pairsOf } from "./deno.ts";
import { checkValue, numberIn } from "./header_values.ts";
import { rangeAnswer } from "./range.ts";
import type { Exchange } from "./exchange.ts";

/** Larger answers, in bytes, are sent in pieces: a slow client then holds one piece (H8), and a stop sees the end (S1). */
const LARGE = 64 * 1024;

/** Makes browsers believe a content type, so that they do not run a text as a script. */
export const NOSNIFF = "nosniff";
/** The headers of a text. */
export const TEXT = { "content-type": "text/plain; charset=utf-8", "x-content-type-options": NOSNIFF };

function line(status: number, detail: string | undefined): string {
  const text = `${status} ${STATUS_TEXT[status]}`;
  return detail === undefined ? `${text}\n` : `${text}: ${detail}\n`;
}

/** An answer that the server makes itself: the status and one line for a person at the other end. */
export function refusal(status: number, detail?: string, headers: Record<string, string> = {}): Response {
  return new Response(line(status, detail), { status, headers: { ...TEXT, ...headers } });
}

/** The refusal of a request. The line is left out for HEAD: over HTTP/2, Deno would send it (H1). */
export function refusalOf({ method }: Request, status: number, detail?: string, headers = {}): Response {
  const answer = refusal(status, detail, headers);
  return method === "HEAD" ? headOf(status, answer.headers, line(status, detail)) : answer;
}

/** Data whose length is known. */
export type Content = string | ArrayBuffer | ArrayBufferView | Blob;

/** Whether this is data whose length is known. */
export function isContent(data: unknown): data is Content {
  return typeof data === "string" || data instanceof ArrayBuffer || ArrayBuffer.isView(data) || data instanceof Blob;
}

/** Whether the bytes of the data were transferred to something else, such as a worker. */
export function isTransferred(data: unknown): boolean {
  const buffer = ArrayBuffer.isView(data) ? data.buffer : data;
  return buffer instanceof ArrayBuffer && buffer.detached;
}

/** Marks answers that take time to send. A WeakSet of them would burden the garbage collector. */
const LASTING = Symbol("lasting");

/** Whether the answer is under way until Deno reports its end. */
export function isLasting(answer: Response): boolean {
  return LASTING in answer;
}

function mark(answer: Response): Response {
  return Object.assign(answer, { [LASTING]: true });
}

/** The length in bytes. */
function lengthOf(data: Content): number {
  if (typeof data === "string") return Buffer.byteLength(data);
  return data instanceof Blob ? data.size : data.byteLength;
}

function sent(data: Content, exchange: Exchange): ReadableStream {
  const { sendings } = exchange.context;
  if (typeof data === "string") return sendings.text(data, exchange);
  return data instanceof Blob ? sendings.blob(data, exchange) : sendings.bytes(bytesOf(data), exchange);
}

function bytesOf(data: ArrayBuffer | ArrayBufferView): Uint8Array<ArrayBuffer> {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength)
    // Otherwise its length would follow that of a buffer that can be resized.
    : new Uint8Array(data, 0, data.byteLength);
}

function withLength(headers: HeadersInit | undefined, length: number): Headers {
  const all = new Headers(headers);
  all.set("content-length", String(length));
  return all;
}

/** The headers of an answer of known length. A large one announces that clients can ask for parts of it. */
function headersOfWhole(status: number, headers: HeadersInit | undefined, data: Content): Headers {
  const all = withLength(headers, lengthOf(data));
  if (status === 200 && (isLarge(data) || data instanceof Blob) && !all.has("accept-ranges")) {
    all.set("accept-ranges", "bytes");
  }
  return all;
}

function isLarge(data: Content): boolean {
  if (typeof data === "string") return data.length > LARGE;
  return (data instanceof Blob ? data.size : data.byteLength) > LARGE;
}

/** Whether a status has no body. */
function isBodyless(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

/**
 * An answer: with a body only if its status and the method have one.
 *
 * @param headers Without a length, unless the data is a stream
 */
export function answerWith(
  status: number,
  headers: HeadersInit | undefined,
  data: Content | ReadableStream,
  exchange: Exchange,
): Response {
  const isStream = data instanceof ReadableStream;
  if (isBodyless(status)) {
    if (isStream) discard(data);
    return new Response(null, { status, headers: headers! });
  }
  if (exchange.request.method === "HEAD") return headOf(status, headers, data);
  const part = status === 200 && !isStream ? partOf(headers, data, exchange) : undefined;
  if (part) return part;
  // Of an empty string, Deno would say that it is text, and of a Blob it does not say its length (H6).
  if (data === "") return new Response(null, { status, headers: headers! });
  if (!isStream && !isLarge(data) && !(data instanceof Blob)) {
    return new Response(data as BodyInit, { status, headers: headers! });
  }
  return isStream ? streamed(status, new Headers(headers), data, exchange) : whole(status, headers, data, exchange);
}

/** An answer with data that is sent in pieces. */
function whole(status: number, headers: HeadersInit | undefined, data: Content, exchange: Exchange): Response {
  return mark(new Response(sent(data, exchange), { status, headers: headersOfWhole(status, headers, data) }));
}

/** The answer to a request for a part of the data, if this is one. */
function partOf(headers: HeadersInit | undefined, data: Content, exchange: Exchange): Response | undefined {
  const range = rangeAnswer(exchange, headers, () => lengthOf(data));
  if (range === undefined) return undefined;
  const { bounds, contentRange } = range;
  const all = new Headers(headers);
  all.set("accept-ranges", "bytes");
  all.set("content-range", contentRange);
  if (bounds === undefined) return unsatisfiable(all);
  all.set("content-length", String(bounds[1] - bounds[0]));
  return mark(new Response(sentPart(data, bounds, exchange), { status: 206, headers: all }));
}

/** The answer to a request for a part that does not exist. */
function unsatisfiable(headers: Headers): Response {
  for (const [name, value] of Object.entries(TEXT)) headers.set(name, value);
  headers.delete("content-length");
  return new Response(line(416, undefined), { status: 416, headers });
}

function sentPart(data: Content, bounds: readonly [number, number], exchange: Exchange): ReadableStream {
  if (typeof data === "string") return exchange.context.sendings.text(data, exchange, bounds);
  return sent(data instanceof Blob ? data.slice(...bounds) : bytesOf(data).subarray(...bounds), exchange);
}

/**
 * The answer to HEAD: that to GET without its body, with the length that it would have if that is known. Nothing here depends on the
 * version of HTTP, which cannot be told: Deno sends a body over HTTP/2, and waits for the end of a stream (H1).
 */
function headOf(status: number, headers: HeadersInit | undefined, data: Content | ReadableStream): Response {
  if (!(data instanceof ReadableStream)) {
    return new Response(null, { status, headers: headersOfWhole(status, headers, data) });
  }
  discard(data);
  const all = new Headers(headers);
  return new Response(bodyOfHead(announcedLength(all) !== undefined), { status, headers: all });
}

/** Cancels a stream that is not sent, so that its source can close. */
export function discard(stream: ReadableStream | null | undefined): void {
  if (stream instanceof ReadableStream && !stream.locked) stream.cancel().catch(() => {});
}

/** Reads a property through the prototype, as Deno does, in case the user's Response shadows it. */
function original<Name extends "type" | "status" | "bodyUsed" | "headers" | "body">(
  name: Name,
): (response: Response) => Response[Name] {
  const { get } = Object.getOwnPropertyDescriptor(Response.prototype, name)!;
  return (response) => get!.call(response);
}

const typeOfResponse = original("type");
const statusOf = original("status");
const isUsed = original("bodyUsed");
const headersOfResponse = original("headers");
const bodyOf = original("body");

const CONTENT_LENGTH = "content-length";

/**
 * The answer to send for a `Response` that somebody made.
 *
 * @throws {TypeError} If it cannot be sent
 */
export function answerFrom(response: Response, exchange: Exchange): Response {
  const { request } = exchange;
  if (typeOfResponse(response) === "error" || statusOf(response) < 200) {
    throw new TypeError("Cannot send the Response: it is an error or an upgrade, not an answer");
  }
  if (isUsed(response)) {
    throw new TypeError("Cannot send the Response: its body was read or sent before; make a new one each time");
  }
  const headers = headersOfResponse(response);
  let announced: string | undefined;
  for (const [name, value] of pairsOf(headers)) {
    checkValue(name, value);
    if (name.length === CONTENT_LENGTH.length && name.toLowerCase() === CONTENT_LENGTH) announced = value;
  }
  const content = contentOf(response);
  // An answer without a body has no length, except to HEAD, where it is that of GET.
  if (content === null && announced !== undefined && request.method !== "HEAD") return withoutLength(response);
  freezeHeaders(headers);
  mark(response);
  if (content === null) return response;
  const status = statusOf(response);
  const isStream = content instanceof ReadableStream;
  if (request.method === "HEAD") return mark(headOf(status, headers, isStream ? bodyOf(response)! : content));
  if (isStream) return streamed(status, headers, bodyOf(response)!, exchange);
  const part = status === 200 ? partOf(headers, content, exchange) : undefined;
  if (part) return part;
  if (isLarge(content)) return whole(status, headers, content, exchange);
  // If the length is known, the callback's own value does not count.
  const isRight = announced === undefined || announced === String(lengthOf(content));
  return isRight ? response : mark(new Response(content, { status, headers: withLength(headers, lengthOf(content)) }));
}

/** An answer without a body and its length. The headers of one that was fetched cannot be changed. */
function withoutLength(response: Response): Response {
  const headers = new Headers(headersOfResponse(response));
  headers.delete(CONTENT_LENGTH);
  return mark(new Response(null, { status: statusOf(response), headers }));
}

/** Whether the answer is a stream of server-sent events, which never ends by itself. */
function isEventStream(headers: Headers): boolean {
  return headers.get("content-type")?.toLowerCase().startsWith("text/event-stream") ?? false;
}

/**
 * The length that a callback announces, if it does.
 *
 * @throws {TypeError} If it is not a number
 */
function announcedLength(headers: Headers): number | undefined {
  const announced = headers.get(CONTENT_LENGTH);
  if (announced === null) return undefined;
  const length = numberIn(announced);
  if (Number.isNaN(length)) throw new TypeError('Cannot send the header "content-length": its value is not a number');
  return length;
}

/** An answer with a stream. */
function streamed(status: number, headers: Headers, stream: ReadableStream, exchange: Exchange): Response {
  keepFreedMemory();
  const length = announcedLength(headers) ?? Infinity;
  if (stream.locked) throw new TypeError("Cannot send the stream: it is locked, since something else reads it");
  // Small enough for the system's buffers, so it takes the fastest way: a file goes without JavaScript.
  const body = length <= LARGE ? stream : exchange.context.sendings.stream(stream, exchange, isEventStream(headers));
  return mark(new Response(body, { status, headers }));
}
