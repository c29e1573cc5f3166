/** The way of an HTTP request: its body, its callback, its answer. */

import type { RequestDictionary } from "../callbacks.ts";
import type { Address } from "./address.ts";
import { type Cooks, Failure } from "./cook.ts";
import { hasBody, requestDictionary } from "./request.ts";
import { refusal, responseDictionary, toResponse } from "./response.ts";

const NOTHING = "onHTTPRequest returned nothing, so the answer is 404. End it with: return response";

/** Answers requests, and knows how many answers are under way. */
export class Requests {
  readonly #cooks: Cooks;
  /** Answers that are awaited, or not yet taken by the runtime. */
  #inFlight = 0;
  #whenIdle: (() => void) | undefined;

  constructor(cooks: Cooks) {
    this.#cooks = cooks;
  }

  /** The answer to a request. A promise only if there is a body to receive or the callback returns one. */
  answer(
    request: Request,
    info: Deno.ServeHandlerInfo | undefined,
    listening: Address,
  ): Response | Promise<Response> {
    if (hasBody(request)) return this.#tracked(this.#receive(request, info, listening), info);
    const answer = this.#respond(request, requestDictionary(request, info, listening));
    return answer instanceof Promise ? this.#tracked(answer, info) : answer;
  }

  /** Resolves when no answer is under way. */
  async idle(): Promise<void> {
    if (this.#inFlight > 0) await new Promise<void>((resolve) => this.#whenIdle = resolve);
  }

  async #receive(request: Request, info: Deno.ServeHandlerInfo | undefined, listening: Address): Promise<Response> {
    let data;
    try {
      data = await request.bytes();
    } catch {
      // The client has left in the middle of it, or its chunks are malformed.
      return refusal(400, "The body did not arrive whole");
    }
    return this.#respond(request, requestDictionary(request, info, listening, data));
  }

  #respond(request: Request, dictionary: RequestDictionary): Response | Promise<Response> {
    const result = this.#cooks.run("onHTTPRequest", dictionary, responseDictionary());
    return result instanceof Promise
      ? result.then((settled) => this.#finish(settled, request))
      : this.#finish(result, request);
  }

  #finish(result: unknown, request: Request): Response {
    if (result instanceof Failure) return refusal(result.status, result.detail);
    if (result === undefined) {
      if (this.#cooks.has("onHTTPRequest")) this.#cooks.warn(NOTHING);
      return refusal(404);
    }
    try {
      return toResponse(result, request);
    } catch (error) {
      this.#cooks.report(error, "onHTTPRequest");
      return refusal(500);
    }
  }

  /** Counts an answer as under way until the runtime is done with it. */
  async #tracked(answer: Promise<Response>, info: Deno.ServeHandlerInfo | undefined): Promise<Response> {
    this.#inFlight++;
    const settle = () => {
      if (--this.#inFlight === 0) this.#whenIdle?.();
    };
    const completed = info?.completed;
    completed?.then(settle, settle);
    try {
      return await answer;
    } finally {
      if (!completed) settle();
    }
  }
}
