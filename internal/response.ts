/** The `response` dictionary, and the Fetch `Response` made of it. */

import { STATUS_TEXT } from "@std/http/status";
import type { HeaderValue, ResponseData, ResponseDictionary } from "../callbacks.ts";
import { pairsOf } from "./headers.ts";
import { inChunks } from "./stream.ts";

/** What a header value may not have: control characters, which crash the runtime, and what is beyond a byte. */
const UNSENDABLE = /[^\t\x20-\x7e\x80-\xff]/;

/** The dictionary a callback starts from. */
export function responseDictionary(): ResponseDictionary {
  return { statusCode: 404, statusReason: "Not Found", data: "" };
}

/** The headers in a dictionary: every key that is none of its own. */
export function headersOf(dictionary: Partial<ResponseDictionary>): Headers {
  const { statusCode: _code, statusReason: _reason, data: _data, headers, ...others } = dictionary;
  const fields = Object.create(null) as HeaderFields;
  merge(fields, headers);
  merge(fields, others as ResponseDictionary["headers"]);
  return toHeaders(fields);
}

const HTML = { "content-type": "text/html; charset=utf-8" };
const TEXT = { "content-type": "text/plain; charset=utf-8" };

function line(status: number, detail: string | undefined): string {
  const text = `${status} ${STATUS_TEXT[status]}`;
  return detail === undefined ? `${text}\n` : `${text}: ${detail}\n`;
}

/** An answer of the server's own: the status and, for a person at the other end, one line. */
export function refusal(status: number, detail?: string, headers: Record<string, string> = {}): Response {
  return new Response(line(status, detail), { status, headers: { ...TEXT, ...headers } });
}

/**
 * A refusal that ends the connection. After an answer that comes before the body has arrived, the runtime would go on reading
 * without limit; it drops the connection when the answer is shorter than its announced length.
 */
export function dropping(status: number, detail?: string, headers: Record<string, string> = {}): Response {
  const body = new TextEncoder().encode(line(status, detail));
  const length = { "content-length": String(body.length + 1) };
  return new Response(inChunks(body), { status, headers: { ...TEXT, ...headers, ...length } });
}

function headerText(name: string, value: unknown): string {
  if (typeof value !== "string") {
    if (typeof value !== "number" && typeof value !== "boolean") {
      throw new TypeError(`Cannot send the header "${name}": its value is ${kindOf(value)}, not a string`);
    }
    value = String(value);
  }
  if (UNSENDABLE.test(value as string)) {
    throw new TypeError(`Cannot send the header "${name}": its value has a control character or one beyond Latin-1`);
  }
  return value as string;
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  return Array.isArray(value) ? "a list" : `an object (${value.constructor?.name ?? "without a prototype"})`;
}

function isDictionary(value: unknown): value is Partial<ResponseDictionary> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isData(data: unknown): data is ResponseData {
  return typeof data === "string" || data instanceof ArrayBuffer || ArrayBuffer.isView(data) || data instanceof Blob ||
    data instanceof ReadableStream;
}

/** Headers by their names in lower case, so that of two letter cases the later one is sent. */
type HeaderFields = Record<string, HeaderValue | undefined>;

function merge(fields: HeaderFields, headers: ResponseDictionary["headers"]): void {
  if (headers === undefined) return;
  if (!(headers instanceof Headers) && !isDictionary(headers)) {
    throw new TypeError(`Cannot send \`headers\`: it is ${kindOf(headers)}, not a dictionary`);
  }
  if (headers instanceof Headers) {
    for (const [name, value] of headers) fields[name] = name === "set-cookie" ? headers.getSetCookie() : value;
  } else {
    for (const [name, value] of Object.entries(headers)) fields[name.toLowerCase()] = value;
  }
}

function toHeaders(fields: HeaderFields): Headers {
  const headers = new Headers();
  for (const name in fields) {
    const value = fields[name];
    if (value === undefined) continue;
    for (const item of Array.isArray(value) ? value : [value]) headers.append(name, headerText(name, item));
  }
  return headers;
}

/** By its first character that is not white space; the cheap look at the very first one settles most. */
function typeOf(text: string): typeof HTML {
  const first = text.charCodeAt(0);
  return first === 0x3c || (first <= 0x20 && /^\s*</.test(text)) ? HTML : TEXT;
}

/**
 * Marks answers that are under way for longer than they take to be handed over. A WeakSet of them would burden the garbage
 * collector.
 */
const LASTING = Symbol("lasting");
/** Reasons that are not the standard ones, for the request log: the runtime sends none. */
const reasons = new WeakMap<Response, string>();

/** Whether the answer is under way until the runtime says that it is through, since its end is not known here. */
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

function fromDictionary(dictionary: Partial<ResponseDictionary>, request: Request): Response {
  let status = 404;
  let reason: string | undefined;
  let data: unknown = "";
  let contentType: HeaderValue | undefined;
  let fields: HeaderFields | undefined;
  for (const key in dictionary) {
    const value = dictionary[key];
    switch (key) {
      case "statusCode":
        status = value as number;
        break;
      case "statusReason":
        if (value !== STATUS_TEXT[status] && value !== "Not Found") reason = String(value);
        break;
      case "data":
        data = value ?? "";
        break;
      case "headers":
        merge(fields ??= Object.create(null) as HeaderFields, value as ResponseDictionary["headers"]);
        contentType = fields["content-type"] ?? contentType;
        break;
      case "Content-Type":
      case "content-type":
        contentType = value as HeaderValue | undefined;
        break;
      default: {
        const name = key.toLowerCase();
        if (name === "content-type") contentType = value as HeaderValue | undefined;
        else (fields ??= Object.create(null) as HeaderFields)[name] = value as HeaderValue | undefined;
      }
    }
  }
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError(`Cannot answer with statusCode ${Deno.inspect(status)}: it takes an integer from 200 to 599`);
  }
  if (!isData(data)) {
    throw new TypeError(`Cannot send \`data\`: it is ${kindOf(data)}, not a string, bytes, a Blob or a ReadableStream`);
  }
  // The Blob's own type is checked as any header is: what is set here, the runtime does not set itself.
  if (typeof data === "object" && data instanceof Blob && data.type !== "") contentType ??= data.type;
  let headers: ResponseInit["headers"];
  if (fields !== undefined || Array.isArray(contentType)) {
    if (contentType === undefined && typeof data === "string" && data !== "") {
      contentType = typeOf(data)["content-type"];
    }
    headers = toHeaders({ ...fields, "content-type": contentType });
  } else if (contentType !== undefined) {
    headers = { "content-type": headerText("content-type", contentType) };
  } else if (typeof data === "string" && data !== "") {
    headers = typeOf(data);
  }
  const reading = request.method !== "HEAD";
  let body: unknown = data;
  if (status === 204 || status === 205 || status === 304 || (!reading && data instanceof ReadableStream)) {
    discard(data);
    body = null;
  } else if (reading && isLarge(data)) {
    const { stream, length } = streamed(data);
    body = stream;
    const withLength = new Headers(headers as HeadersInit);
    withLength.set("content-length", String(length));
    headers = withLength;
  }
  const response = new Response(body as BodyInit | null, { status, headers: headers as HeadersInit });
  if (typeof body === "object" && body instanceof ReadableStream) mark(response);
  if (reason !== undefined) reasons.set(response, reason);
  return response;
}

/** Bytes from which on an answer is sent in chunks, that a stop can tell when it is through. */
const LARGE = 64 * 1024;

function isLarge(data: ResponseData): data is Exclude<ResponseData, ReadableStream> {
  if (typeof data === "string") return data.length > LARGE;
  return data instanceof Blob ? data.size > LARGE : !(data instanceof ReadableStream) && data.byteLength > LARGE;
}

function streamed(data: Exclude<ResponseData, ReadableStream>): { stream: ReadableStream; length: number } {
  if (data instanceof Blob) return { stream: data.stream(), length: data.size };
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : bytesOf(data);
  return { stream: inChunks(bytes), length: bytes.length };
}

function bytesOf(data: ArrayBuffer | ArrayBufferView): Uint8Array<ArrayBuffer> {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

/** A stream that is not sent is told so, that its source can close. */
function discard(data: unknown): void {
  if (data instanceof ReadableStream && !data.locked) data.cancel().catch(() => {});
}

/** The stream of an answer that is not sent, whatever kind of object it is. */
function cancel(answer: unknown): void {
  try {
    discard(answer instanceof Response ? answer.body : (answer as Partial<ResponseDictionary>).data);
  } catch {
    // Its getters throw, which is why it is not sent.
  }
}

/** Reads a property as the runtime sees it: a Response of the user's may have another of that name in front. */
function original<Name extends "type" | "status" | "bodyUsed" | "headers">(
  name: Name,
): (response: Response) => Response[Name] {
  const { get } = Object.getOwnPropertyDescriptor(Response.prototype, name)!;
  return (response) => get!.call(response);
}

const typeOfResponse = original("type");
const statusOf = original("status");
const isUsed = original("bodyUsed");
const headersOfResponse = original("headers");

/** What would change headers between the check and the wire does nothing, as it does once they are sent. */
const SETTLED = { set() {}, append() {}, delete() {} };

function checked(response: Response): Response {
  if (typeOfResponse(response) === "error" || statusOf(response) < 200) {
    throw new TypeError("Cannot send the Response: it is an error or an upgrade, not an answer");
  }
  if (isUsed(response)) {
    throw new TypeError("Cannot send the Response: its body was read or sent before; make a new one each time");
  }
  const headers = headersOfResponse(response);
  for (const [name, value] of pairsOf(headers)) headerText(name, value);
  Object.assign(headers, SETTLED);
  return mark(response);
}

/** Whether the answer is of server-sent events, which have no end of their own. */
export function isEventStream(answer: Response): boolean {
  return headersOfResponse(answer).get("content-type")?.toLowerCase().startsWith("text/event-stream") ?? false;
}

/** The same answer with another body. */
export function withBody(answer: Response, body: ReadableStream): Response {
  return mark(new Response(body, { status: statusOf(answer), headers: headersOfResponse(answer) }));
}

/**
 * The Fetch `Response` for what `onHTTPRequest` or `onWebSocketRequest` returned.
 *
 * @param request What it answers
 * @throws {TypeError} If it is neither a response dictionary nor a `Response`, or has a header or data that cannot be sent
 * @throws {RangeError} If its status cannot be sent
 */
export function toResponse(answer: unknown, request: Request): Response {
  try {
    if (isDictionary(answer)) return fromDictionary(answer, request);
    if (answer instanceof Response) return checked(answer);
  } catch (error) {
    cancel(answer);
    throw error;
  }
  throw new TypeError(
    `Cannot answer: the callback returned ${kindOf(answer)}, not a response dictionary or a Response`,
  );
}
