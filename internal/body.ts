/** Receiving request bodies within limits. */

import type { Deadlines } from "./deadlines.ts";
import { headerOf } from "./headers.ts";
import type { WebServerParameters } from "./parameters.ts";
import { BadRequest } from "./request.ts";
import { dropping, refusal } from "./response.ts";

type Limits = Pick<WebServerParameters, "maxBodySize" | "maxBodyMemory">;

/** Whether a request, other than GET and HEAD, may bring a body. */
export function hasBody(request: Request): boolean {
  // HTTP/2 may send a body without announcing it, so only this says that there is none.
  return headerOf(request, "content-length") !== "0";
}

/** The length that the body is announced with, or undefined. The runtime refuses one beside a `Transfer-Encoding`, and holds the body to it. */
function announced(request: Request): number | undefined {
  const length = headerOf(request, "content-length");
  return length === null ? undefined : Number(length);
}

function isTooLarge(size: number, { maxBodySize }: Limits): boolean {
  return size > maxBodySize;
}

function tooLarge({ maxBodySize }: Limits): string {
  return `The body is larger than ${maxBodySize} bytes`;
}

/** An answer that comes before the body has arrived: where that may be endless, the connection is dropped. */
export function early(request: Request, limits: Limits, status: number, detail: string): Response {
  const length = announced(request) ?? (headerOf(request, "transfer-encoding") === null ? 0 : Infinity);
  return (isTooLarge(length, limits) ? dropping : refusal)(status, detail);
}

/** The refusal of a body by what is known of it before it arrives, or undefined. */
export function objection(request: Request, limits: Limits): Response | undefined {
  const length = announced(request);
  if (length === undefined) {
    const coding = headerOf(request, "transfer-encoding")?.toLowerCase() ?? "chunked";
    // The runtime undoes no other coding (RFC 9112, section 6.1).
    return coding === "chunked" ? undefined : dropping(501, "The only transfer coding is chunked");
  }
  return isTooLarge(length, limits) ? dropping(413, tooLarge(limits)) : undefined;
}

/**
 * The request with a body that ends in an error when it goes over the limit, for callbacks that read it themselves.
 *
 * @throws {TypeError} If its URL is none
 */
export function limited(request: Request, limits: Limits): Request {
  if (request.body === null || announced(request) !== undefined) return request;
  let size = 0;
  const counted = request.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        size += chunk.length;
        if (isTooLarge(size, limits)) throw new BadRequest(tooLarge(limits), 413);
        controller.enqueue(chunk);
      },
    }),
  );
  // Not made of the request itself, whose `signal` it would touch.
  const { url, method, headers } = request;
  return new Request(url, { method, headers, body: counted, duplex: "half" } as RequestInit);
}

/** Bytes to start with for a body of unknown length. */
const FIRST = 16 * 1024;

/** The bodies held at one time. */
export class Bodies {
  readonly #limits: () => Limits;
  readonly #deadlines: Deadlines;
  /** Bytes held, or announced and on their way. */
  #held = 0;

  constructor(limits: () => Limits, deadlines: Deadlines) {
    this.#limits = limits;
    this.#deadlines = deadlines;
  }

  /** The body, to be given back by `release()`, or the answer that refuses it. */
  async receive(request: Request): Promise<Uint8Array<ArrayBuffer> | Response> {
    const limits = this.#limits();
    const refused = objection(request, limits);
    if (refused) return refused;
    // Several times as fast as `bytes()`, and can be left.
    const reader = request.body?.getReader();
    if (reader === undefined) return new Uint8Array(0);
    const claimed = { bytes: 0, over: false };
    const outcome = await this.#deadlines.race(
      this.#read(reader, announced(request), limits, claimed),
      () => dropping(408, "The body did not arrive in time"),
    );
    if (outcome instanceof Response) {
      this.#held -= claimed.bytes;
      claimed.over = true;
      // Or else the runtime would wait for somebody to read the rest.
      reader.cancel().catch(() => {});
    }
    return outcome;
  }

  release(bytes: number): void {
    this.#held -= bytes;
  }

  async #read(
    reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>,
    length: number | undefined,
    limits: Limits,
    claimed: { bytes: number; readonly over: boolean },
  ): Promise<Uint8Array<ArrayBuffer> | Response> {
    const claim = (bytes: number) => {
      // It was answered meanwhile.
      if (claimed.over) return false;
      this.#held += bytes;
      claimed.bytes += bytes;
      return this.#held <= limits.maxBodyMemory;
    };
    if (length !== undefined && !claim(length)) return dropping(503, FULL);
    let data = new Uint8Array(length ?? FIRST);
    let size = 0;
    try {
      for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
        const from = size;
        size += chunk.value.length;
        if (length === undefined) {
          const fits = claim(chunk.value.length);
          if (isTooLarge(size, limits)) return dropping(413, tooLarge(limits));
          if (!fits) return dropping(503, FULL);
          if (size > data.length) data = grown(data, size);
        }
        data.set(chunk.value, from);
      }
    } catch {
      return refusal(400, NOT_WHOLE);
    }
    if (length !== undefined && size < length) return refusal(400, NOT_WHOLE);
    return size === data.length ? data : data.slice(0, size);
  }
}

const FULL = "Too many bodies are on their way";
const NOT_WHOLE = "The body did not arrive whole";

function grown(data: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(2 * data.length, size));
  larger.set(data);
  return larger;
}
