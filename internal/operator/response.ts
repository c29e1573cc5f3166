/** The `response` dictionary, and the Fetch `Response` made of it. */

import { STATUS_TEXT } from "@std/http/status";
import type { HeaderValue, ResponseDictionary } from "../../callbacks.ts";
import {
  checkValue,
  type HeaderFields,
  headerFields,
  isDictionary,
  kindOf,
  merge,
  toHeaders,
  valueOf,
} from "./header_fields.ts";
import { numberIn } from "../engine/header_values.ts";
import { contentOf, pairsOf } from "../engine/headers.ts";
import { byteLength, type Sendings } from "../engine/sending.ts";

/** Bytes from which on an answer is sent in pieces: a client that is slow holds one piece, and a stop sees the end. */
const LARGE = 64 * 1024;

/** The dictionary a callback starts from. */
export function responseDictionary(): ResponseDictionary {
  return { statusCode: 404, statusReason: "Not Found", data: "" };
}

/** The headers in a dictionary: every key that is not a field. */
export function headersOf(dictionary: Partial<ResponseDictionary>): Headers {
  const { statusCode: _code, statusReason: _reason, data: _data, headers, ...others } = dictionary;
  const fields = headerFields();
  merge(fields, headers);
  merge(fields, others as ResponseDictionary["headers"]);
  return toHeaders(fields);
}

// A browser takes these types at their word, and runs neither as a script.
const NOSNIFF = "nosniff";
const HTML = { "content-type": "text/html; charset=utf-8", "x-content-type-options": NOSNIFF };
const TEXT = { "content-type": "text/plain; charset=utf-8", "x-content-type-options": NOSNIFF };
const JSON_TYPE = { "content-type": "application/json", "x-content-type-options": NOSNIFF };

function line(status: number, detail: string | undefined): string {
  const text = `${status} ${STATUS_TEXT[status]}`;
  return detail === undefined ? `${text}\n` : `${text}: ${detail}\n`;
}

/** An answer of the server's own: the status and, for a person at the other end, one line. */
export function refusal(status: number, detail?: string, headers: Record<string, string> = {}): Response {
  return new Response(line(status, detail), { status, headers: { ...TEXT, ...headers } });
}

/** The refusal of a request. HEAD gets none of its line: over HTTP/2, Deno would send it. */
export function refusalOf({ method }: Request, status: number, detail?: string, headers = {}): Response {
  const answer = refusal(status, detail, headers);
  return method === "HEAD" ? headOf(status, answer.headers, line(status, detail)) : answer;
}

/** Data whose length is known. */
type Content = string | ArrayBuffer | ArrayBufferView | Blob;

function isContent(data: unknown): data is Content {
  return typeof data === "string" || data instanceof ArrayBuffer || ArrayBuffer.isView(data) || data instanceof Blob;
}

/** By its first character that is not white space; the cheap look at the very first one settles most. */
function typeOf(text: string): typeof HTML {
  const first = text.charCodeAt(0);
  const maySpace = first <= 0x20 || first >= 0x80;
  return first === 0x3c || (maySpace && /^\s*</.test(text)) ? HTML : TEXT;
}

/**
 * Marks answers that are under way for longer than they take to be handed over. A WeakSet of them would burden the garbage
 * collector.
 */
const LASTING = Symbol("lasting");
/** Reasons that are not the standard ones, for the request log: Deno sends none. */
const reasons = new WeakMap<Response, string>();

/** Whether the answer is under way until Deno says that it is through, since its end is not known here. */
export function isLasting(answer: Response): boolean {
  return LASTING in answer;
}

function mark(answer: Response): Response {
  return Object.assign(answer, { [LASTING]: true });
}

/** What the callback said in `statusReason`, or else the standard reason. */
export function reasonOf(answer: Response): string {
  return reasons.get(answer) ?? STATUS_TEXT[answer.status] ?? "";
}

/** A response dictionary, taken apart. */
interface Parts {
  status: number;
  reason: string | undefined;
  data: unknown;
  contentType: HeaderFields[string];
  /** The other headers, if there are any. */
  fields: HeaderFields | undefined;
}

/** Is told what is probably a mistake in an answer; the first argument is the kind of it. */
export type Warn = (kind: string, message: string) => void;

/** Names that are taken for a field, in lower case; no header has such a name. */
const MEANT = new Map([
  ["statuscode", "statusCode"],
  ["status", "statusCode"],
  ["statusreason", "statusReason"],
  ["statustext", "statusReason"],
  ["body", "data"],
  ["data", "data"],
]);

/** The field that a key was meant to be, or undefined if it is a header. */
export function fieldMeantBy(key: string): string | undefined {
  return MEANT.get(key.toLowerCase());
}

function partsOf(dictionary: Partial<ResponseDictionary>, warn: Warn): Parts {
  const parts: Parts = { status: 404, reason: undefined, data: "", contentType: undefined, fields: undefined };
  let hasStatus = false;
  for (const key in dictionary) {
    const value = dictionary[key];
    switch (key) {
      case "statusCode":
        hasStatus = true;
        parts.status = value as number;
        break;
      case "statusReason":
        if (value !== STATUS_TEXT[parts.status] && value !== "Not Found") parts.reason = String(value);
        break;
      case "data":
        parts.data = value ?? "";
        break;
      case "headers":
        merge(parts.fields ??= headerFields(), value as ResponseDictionary["headers"]);
        parts.contentType = parts.fields["content-type"] ?? parts.contentType;
        break;
      case "Content-Type":
      case "content-type":
        parts.contentType = value as HeaderValue | undefined;
        break;
      default: {
        const name = key.toLowerCase();
        if (name === "content-type") {
          parts.contentType = value as HeaderValue | undefined;
          break;
        }
        const meant = MEANT.get(name);
        if (meant !== undefined) {
          warn(`misnamed ${meant}`, `response.${key} is sent as a header: write response.${meant}`);
        }
        (parts.fields ??= headerFields())[name] = value as HeaderValue | undefined;
      }
    }
  }
  if (!hasStatus) {
    warn(
      "no status",
      "The callback returned an object without statusCode, so the answer is 404. Set statusCode, such as 200",
    );
  }
  return parts;
}

/** The headers to send, as `Response` takes them. */
function headersFor({ contentType, fields, data }: Parts): HeadersInit | undefined {
  let own: Partial<typeof HTML> | undefined;
  if (contentType === undefined && typeof data === "string" && data !== "") own = typeOf(data);
  // The Blob's own type is checked as any header is: if one is set here, Deno does not set it itself.
  else if (contentType === undefined && data instanceof Blob && data.type !== "") contentType = data.type;
  if (fields !== undefined || Array.isArray(contentType)) {
    return toHeaders({ ...own, ...fields, ...(contentType !== undefined && { "content-type": contentType }) });
  }
  return contentType === undefined ? own : { "content-type": valueOf("content-type", contentType) };
}

/** The bytes that a GET is answered with. */
function lengthOf(data: Content): number {
  if (typeof data === "string") return byteLength(data);
  return data instanceof Blob ? data.size : data.byteLength;
}

function sent(data: Content, sendings: Sendings): ReadableStream {
  if (typeof data === "string") return sendings.text(data);
  if (data instanceof Blob) return sendings.stream(data.stream(), false);
  return sendings.bytes(
    ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength)
      : new Uint8Array(data),
  );
}

function withLength(headers: HeadersInit | undefined, length: number): Headers {
  const all = new Headers(headers);
  all.set("content-length", String(length));
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

function fromDictionary(
  dictionary: Partial<ResponseDictionary>,
  request: Request,
  sendings: Sendings,
  warn: Warn,
): Response {
  const parts = partsOf(dictionary, warn);
  const { status, reason } = parts;
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError(`Cannot answer with statusCode ${Deno.inspect(status)}: it takes an integer from 200 to 599`);
  }
  let { data } = parts;
  if (Array.isArray(data) || isDictionary(data)) {
    data = parts.data = asJSON(data);
    if (parts.contentType === undefined) {
      parts.contentType = JSON_TYPE["content-type"];
      (parts.fields ??= headerFields())["x-content-type-options"] ??= NOSNIFF;
    }
  }
  const known = isContent(data);
  if (!known && !(data instanceof ReadableStream)) {
    throw new TypeError(
      `Cannot send \`data\`: it is ${
        kindOf(data)
      }, not a string, bytes, a Blob, a ReadableStream, or an object or list to ` +
        "be sent as JSON",
    );
  }
  // A length that is known is not the callback's to say.
  if (known && parts.fields) delete parts.fields["content-length"];
  const headers = headersFor(parts);
  const response = respond(status, headers, data as Content | ReadableStream, request, sendings);
  if (reason !== undefined) reasons.set(response, reason);
  return response;
}

function asJSON(data: unknown): string {
  try {
    return JSON.stringify(data);
  } catch (cause) {
    throw new TypeError(`Cannot send \`data\` as JSON: ${(cause as Error).message.split("\n")[0]}`, { cause });
  }
}

function respond(
  status: number,
  headers: HeadersInit | undefined,
  data: Content | ReadableStream,
  request: Request,
  sendings: Sendings,
): Response {
  const isStream = data instanceof ReadableStream;
  if (isBodyless(status)) {
    if (isStream) discard(data);
    return new Response(null, { status, headers: headers! });
  }
  if (request.method === "HEAD") return headOf(status, headers, data);
  // Of an empty string, Deno would say that it is text, and of a Blob it does not say its length.
  if (data === "") return new Response(null, { status, headers: headers! });
  if (!isStream && !isLarge(data) && !(data instanceof Blob)) {
    return new Response(data as BodyInit, { status, headers: headers! });
  }
  return isStream ? streamed(status, new Headers(headers), data, sendings) : whole(status, headers, data, sendings);
}

/** An answer with data that is sent in pieces. */
function whole(status: number, headers: HeadersInit | undefined, data: Content, sendings: Sendings): Response {
  return mark(new Response(sent(data, sendings), { status, headers: withLength(headers, lengthOf(data)) }));
}

/**
 * The answer to HEAD: that to GET without its body, with the length that it would have if that is known. Nothing here depends on the
 * version of HTTP, which cannot be told: Deno sends a body over HTTP/2, and waits for the end of a stream.
 */
function headOf(status: number, headers: HeadersInit | undefined, data: Content | ReadableStream): Response {
  if (!(data instanceof ReadableStream)) {
    return new Response(null, { status, headers: withLength(headers, lengthOf(data)) });
  }
  discard(data);
  const all = new Headers(headers);
  // Without a body, Deno announces a length of 0 over HTTP/1.1.
  return new Response(announcedLength(all) === undefined ? empty() : null, { status, headers: all });
}

/** A stream that has ended. */
function empty(): ReadableStream {
  return new ReadableStream({ start: (controller) => controller.close() });
}

/** A stream that is not sent is cancelled, so that its source can close. */
function discard(stream: ReadableStream | null | undefined): void {
  if (stream instanceof ReadableStream && !stream.locked) stream.cancel().catch(() => {});
}

/** Cancels the stream of an answer that is not sent, whatever kind of object it is. */
export function cancel(answer: unknown): void {
  if (typeof answer !== "object" || answer === null) return;
  if (answer instanceof ReadableStream) return discard(answer);
  try {
    // A Response as `data` is a mistake, but its source is as real.
    const data = answer instanceof Response ? answer : (answer as Partial<ResponseDictionary>).data as unknown;
    discard(data instanceof Response ? data.body : data as ReadableStream);
  } catch {
    // Its getters throw, which is why it is not sent.
  }
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

/** Freezes headers after the check: a control character that is set later would end the process of Deno. */
const FROZEN = { set() {}, append() {}, delete() {} };

function checked(response: Response, request: Request, sendings: Sendings): Response {
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
  // Without a body there is no length but for HEAD, which has that of GET.
  if (content === null && announced !== undefined && request.method !== "HEAD") headers.delete(CONTENT_LENGTH);
  Object.assign(headers, FROZEN);
  mark(response);
  if (content === null) return response;
  const status = statusOf(response);
  const isStream = content instanceof ReadableStream;
  if (request.method === "HEAD") return mark(headOf(status, headers, isStream ? bodyOf(response)! : content));
  if (isStream) return streamed(status, headers, bodyOf(response)!, sendings);
  if (isLarge(content)) return whole(status, headers, content, sendings);
  // A length that is known is not the callback's to say.
  const isRight = announced === undefined || announced === String(lengthOf(content));
  return isRight ? response : mark(new Response(content, { status, headers: withLength(headers, lengthOf(content)) }));
}

/** Whether the answer is of server-sent events, which have no end of their own. */
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
function streamed(status: number, headers: Headers, stream: ReadableStream, sendings: Sendings): Response {
  const length = announcedLength(headers) ?? Infinity;
  if (stream.locked) throw new TypeError("Cannot send the stream: it is locked, since something else reads it");
  // What the system's own buffers hold goes by the fastest way: a file without JavaScript.
  const body = length <= LARGE ? stream : sendings.stream(stream, isEventStream(headers));
  return mark(new Response(body, { status, headers }));
}

/**
 * The Fetch `Response` for what `onHTTPRequest` or `onWebSocketRequest` returned.
 *
 * @param request What it answers
 * @param warn Is told of a key that was probably meant to be a field, and of a dictionary without a status
 * @throws {TypeError} If it is neither a response dictionary nor a `Response`, or has a header or data that cannot be sent
 * @throws {RangeError} If its status cannot be sent
 */
export function toResponse(answer: unknown, request: Request, sendings: Sendings, warn: Warn): Response {
  try {
    if (isDictionary(answer)) return fromDictionary(answer as Partial<ResponseDictionary>, request, sendings, warn);
    if (answer instanceof Response) return checked(answer, request, sendings);
  } catch (error) {
    cancel(answer);
    throw error;
  }
  cancel(answer);
  throw new TypeError(
    `Cannot answer: the callback returned ${kindOf(answer)}, not a response dictionary or a Response`,
  );
}
