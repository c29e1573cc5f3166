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

/** The request with a body that ends in an error when it goes over the limit, for callbacks that read it themselves. */
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
  return new Request(request, { body: counted });
}

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
    const length = announced(request);
    const body = length === undefined ? this.#counted(request, limits) : this.#whole(request, length, limits);
    let late = false;
    body.then((data) => {
      if (late && data instanceof Uint8Array) this.release(data);
    });
    return await this.#deadlines.race(body, () => {
      late = true;
      return dropping(408, "The body did not arrive in time");
    });
  }

  release(data: Uint8Array): void {
    this.#held -= data.length;
  }

  async #whole(
    request: Request,
    length: number,
    { maxBodyMemory }: Limits,
  ): Promise<Uint8Array<ArrayBuffer> | Response> {
    if (this.#held + length > maxBodyMemory) return dropping(503, "Too many bodies are on their way");
    this.#held += length;
    let data;
    try {
      data = await request.bytes();
    } catch {
      data = refusal(400, "The body did not arrive whole");
    }
    // What is given back later is the length of what came.
    this.#held -= length - (data instanceof Uint8Array ? data.length : 0);
    return data;
  }

  async #counted(request: Request, limits: Limits): Promise<Uint8Array<ArrayBuffer> | Response> {
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    let size = 0;
    try {
      for await (const chunk of request.body ?? []) {
        size += chunk.length;
        this.#held += chunk.length;
        chunks.push(chunk);
        if (isTooLarge(size, limits)) return this.#dropped(size, 413, tooLarge(limits));
        if (this.#held > limits.maxBodyMemory) return this.#dropped(size, 503, "Too many bodies are on their way");
      }
    } catch {
      this.#held -= size;
      return refusal(400, "The body did not arrive whole");
    }
    return await new Blob(chunks).bytes();
  }

  #dropped(size: number, status: number, detail: string): Response {
    this.#held -= size;
    return dropping(status, detail);
  }
}
