/** Parts of an answer (RFC 9110, section 14): iPhones play no video without them. */

import { trimmed } from "./header_values.ts";
import { headerOf } from "./deno.ts";
import type { Exchange } from "./exchange.ts";

const RANGE = /^bytes=(\d*)-(\d*)$/i;

/**
 * The part that a `Range` header asks for.
 *
 * @returns The first and the last byte; undefined if there is no such part; null if the header may be ignored, since it has another unit,
 * several parts, or no range at all
 */
function partIn(range: string, length: number): [first: number, last: number] | undefined | null {
  const [, start, end] = RANGE.exec(trimmed(range)) ?? [];
  if (start === undefined || end === undefined || (start === "" && end === "")) return null;
  const last = length - 1;
  // The last bytes: as many as that, or all.
  if (start === "") return Number(end) === 0 ? undefined : [Math.max(0, length - Number(end)), last];
  const first = Number(start);
  if (end !== "" && Number(end) < first) return null;
  if (first >= length) return undefined;
  return [first, end === "" ? last : Math.min(Number(end), last)];
}

/** Whether the client has a part of the same answer, as far as its `If-Range` says: by a strong tag, or by the exact date. */
function isSame(ifRange: string, headers: Headers, byDate: boolean): boolean {
  const tag = trimmed(ifRange);
  return tag.startsWith('"')
    ? tag === headers.get("etag")
    : byDate && tag !== "" && tag === headers.get("last-modified");
}

/** What is different about an answer to a request for a part. */
export interface RangeAnswer {
  /** The header of that name. */
  readonly contentRange: string;
  /** The first byte, and the one behind the last; undefined if the part lies behind the end, which is 416. */
  readonly bounds?: readonly [start: number, end: number];
}

/**
 * The answer to a request for a part of an answer with status 200; undefined if all of it is to be sent.
 *
 * @param headers Of the whole answer
 * @param length Gives the length of the whole answer, in bytes
 */
export function rangeAnswer(
  { request, context }: Exchange,
  headers: HeadersInit | undefined,
  length: () => number,
): RangeAnswer | undefined {
  const range = headerOf(request, "range");
  if (range === null || request.method !== "GET") return undefined;
  const whole = new Headers(headers);
  if (whole.get("accept-ranges")?.toLowerCase() === "none" || whole.has("content-range")) return undefined;
  const ifRange = headerOf(request, "if-range");
  // What Deno compresses has a weak tag, but the same date.
  const byDate = !context.settings.limits.compression;
  if (ifRange !== null && !isSame(ifRange, whole, byDate)) return undefined;
  const bytes = length();
  if (bytes === 0) return undefined;
  const part = partIn(range, bytes);
  if (part === null) return undefined;
  if (part === undefined) return { contentRange: `bytes */${bytes}` };
  return { contentRange: `bytes ${part.join("-")}/${bytes}`, bounds: [part[0], part[1] + 1] };
}
