/** The `response` dictionary, and the Fetch `Response` made of it. */

import { STATUS_TEXT } from "@std/http/status";
import {
  answerFrom,
  answerWith,
  type Content,
  discard,
  isContent,
  isTransferred,
  NOSNIFF,
  TEXT,
} from "../engine/answer.ts";
import type { Exchange } from "../engine/exchange.ts";
import type { HeaderValue, ResponseDictionary } from "./dictionaries.ts";
import { type HeaderFields, headerFields, isDictionary, kindOf, merge, toHeaders, valueOf } from "./header_fields.ts";

const HTML = { "content-type": "text/html; charset=utf-8", "x-content-type-options": NOSNIFF };
const JSON_TYPE = "application/json";

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

/** By its first character that is not white space; the cheap look at the very first one settles most. */
function typeOf(text: string): typeof HTML {
  const first = text.charCodeAt(0);
  const maySpace = first <= 0x20 || first >= 0x80;
  return first === 0x3c || (maySpace && /^\s*</.test(text)) ? HTML : TEXT;
}

/** Reasons that are not the standard ones, for the request log: Deno sends none (H7). */
const reasons = new WeakMap<Response, string>();

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

/** Called with what is probably a mistake in an answer, and the kind of it. */
export type Warn = (kind: string, message: string) => void;

/** Names that are mistaken for fields, in lower case. No header has such a name. */
const MEANT = new Map([
  ["statuscode", "statusCode"],
  ["status", "statusCode"],
  ["statusreason", "statusReason"],
  ["statustext", "statusReason"],
  ["body", "data"],
  ["data", "data"],
  ["contenttype", "Content-Type"],
]);

/** How to write a field, or the header that many forget the hyphen of. */
function written(meant: string): string {
  return meant === "Content-Type" ? 'response["Content-Type"]' : `response.${meant}`;
}

/** The field that a key was meant to be; undefined if it is a header. Python's names have underscores. */
function fieldMeantBy(key: string): string | undefined {
  return MEANT.get(key.toLowerCase().replaceAll("_", ""));
}

/**
 * Refuses a dictionary that accepts a WebSocket, but has a field under a wrong name: it may have been meant to refuse.
 *
 * @throws {TypeError} If there is one
 */
export function checkNames(dictionary: Partial<ResponseDictionary>): void {
  for (const key of Object.keys(dictionary)) {
    const meant = fieldMeantBy(key);
    if (meant !== undefined && meant !== key) {
      throw new TypeError(`Cannot accept the WebSocket with response.${key}: write ${written(meant)}`);
    }
  }
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
        const meant = fieldMeantBy(name);
        if (meant !== undefined) {
          warn(`misnamed ${meant}`, `response.${key} is sent as a header: write ${written(meant)}`);
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

function fromDictionary(dictionary: Partial<ResponseDictionary>, exchange: Exchange, warn: Warn): Response {
  const parts = partsOf(dictionary, warn);
  const { status, reason } = parts;
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError(`Cannot answer with statusCode ${Deno.inspect(status)}: it takes an integer from 200 to 599`);
  }
  let { data } = parts;
  if (Array.isArray(data) || isDictionary(data)) {
    data = parts.data = asJSON(data);
    if (parts.contentType === undefined) {
      parts.contentType = JSON_TYPE;
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
  if (isTransferred(data)) throw new TypeError("Cannot send `data`: its bytes were transferred, so they are gone");
  // If the length is known, the callback's own value does not count.
  if (known && parts.fields) delete parts.fields["content-length"];
  const headers = headersFor(parts);
  const response = answerWith(status, headers, data as Content | ReadableStream, exchange);
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

/**
 * The Fetch `Response` for what `onHTTPRequest` or `onWebSocketRequest` returned.
 *
 * @param warn Called with a key that was probably meant to be a field, and if there is no status
 * @throws {TypeError} If it is neither a response dictionary nor a `Response`, or has a header or data that cannot be sent
 * @throws {RangeError} If its status cannot be sent
 */
export function toResponse(answer: unknown, exchange: Exchange, warn: Warn): Response {
  try {
    if (isDictionary(answer)) return fromDictionary(answer as Partial<ResponseDictionary>, exchange, warn);
    if (answer instanceof Response) return answerFrom(answer, exchange);
  } catch (error) {
    cancel(answer);
    throw error;
  }
  cancel(answer);
  throw new TypeError(
    `Cannot answer: the callback returned ${kindOf(answer)}, not a response dictionary or a Response`,
  );
}
