/** The way of an HTTP request: its body, its callback, its answer. */

import { Bodies, early, hasBody, limited, objection } from "./body.ts";
import { type Cooks, Failure } from "./cook.ts";
import { originObjection } from "./origin.ts";
import type { WebServerParameters } from "./parameters.ts";
import { type RequestContext, requestDictionary } from "./request.ts";
import { dropping, isEventStream, isLasting, refusal, responseDictionary, toResponse, withBody } from "./response.ts";
import { endable } from "./stream.ts";

const NOTHING = "onHTTPRequest returned nothing, so the answer is 404. End it with: return response";
/** Methods that web pages of other origins may not send. */
const CHANGING = ["POST", "PUT", "PATCH", "DELETE"];

type Answer = Response | Promise<Response>;

/** Answers requests, and knows how many answers are under way. */
export class Requests {
  readonly #cooks: Cooks;
  readonly #parameters: () => WebServerParameters;
  readonly #bodies: Bodies;
  /** Answers that are awaited, or not yet taken by the runtime. */
  #inFlight = 0;
  #whenIdle: (() => void) | undefined;
  /** How to end the event streams under way. */
  readonly #endings = new Set<() => void>();

  constructor(cooks: Cooks, parameters: () => WebServerParameters) {
    this.#cooks = cooks;
    this.#parameters = parameters;
    this.#bodies = new Bodies(parameters, cooks.deadlines);
  }

  /** The answer to a request. A promise only if there is a body to receive or the callback returns one. */
  answer(request: Request, info: Deno.ServeHandlerInfo | undefined, context: RequestContext): Answer {
    const { method } = request;
    if (method !== "GET" && method !== "HEAD") {
      const refused = this.#objection(request, method);
      if (refused) return refused;
      if (hasBody(request)) return this.#withBody(request, info, context);
    }
    const answer = this.#respond(request, info, context);
    if (answer instanceof Promise) return this.track(answer, info);
    if (info && isLasting(answer)) this.#count(info.completed);
    return answer;
  }

  /** Ends what has no end of its own. */
  endStreams(): void {
    for (const end of this.#endings) end();
  }

  /** Resolves when no answer is under way. */
  async idle(): Promise<void> {
    if (this.#inFlight > 0) await new Promise<void>((resolve) => this.#whenIdle = resolve);
  }

  /** The refusal of a request that changes something and comes from a page which may not. */
  #objection(request: Request, method: string): Response | undefined {
    if (!CHANGING.includes(method)) return undefined;
    const parameters = this.#parameters();
    const detail = originObjection(request, parameters.origins, (message) => this.#cooks.warn(message));
    return detail === undefined ? undefined : early(request, parameters, 403, detail);
  }

  #withBody(request: Request, info: Deno.ServeHandlerInfo | undefined, context: RequestContext): Answer {
    const parameters = this.#parameters();
    if (parameters.body === "buffer") return this.track(this.#receive(request, info, context), info);
    const refused = objection(request, parameters);
    if (refused) return refused;
    let content;
    try {
      content = limited(request, parameters);
    } catch {
      return dropping(400, "The host is none");
    }
    return this.track(Promise.resolve(this.#respond(request, info, context, content)), info);
  }

  async #receive(
    request: Request,
    info: Deno.ServeHandlerInfo | undefined,
    context: RequestContext,
  ): Promise<Response> {
    const data = await this.#bodies.receive(request);
    if (data instanceof Response) return data;
    // As it is now: a callback may give its memory away, to a worker.
    const { length } = data;
    try {
      return await this.#respond(request, info, context, data);
    } finally {
      this.#bodies.release(length);
    }
  }

  #respond(
    request: Request,
    info: Deno.ServeHandlerInfo | undefined,
    context: RequestContext,
    content?: Uint8Array<ArrayBuffer> | Request,
  ): Answer {
    const dictionary = requestDictionary(request, info, context, content);
    const result = this.#cooks.run("onHTTPRequest", dictionary, responseDictionary());
    return result instanceof Promise
      ? result.then((settled) => this.#finish(settled, request, info, context))
      : this.#finish(result, request, info, context);
  }

  #finish(
    result: unknown,
    request: Request,
    info: Deno.ServeHandlerInfo | undefined,
    context: RequestContext,
  ): Response {
    const answer = this.#answerOf(result, request);
    if (context.clearText?.suspects) context.clearText.answered(request, answer.status);
    return info && isLasting(answer) && isEventStream(answer) ? this.#endable(answer, info) : answer;
  }

  #answerOf(result: unknown, request: Request): Response {
    if (result instanceof Failure) return failure(result);
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

  /** The same answer, with a stream that the server can end. */
  #endable(answer: Response, info: Deno.ServeHandlerInfo): Response {
    // Not before it is one: to touch the body of a `Response` makes a stream of what is none.
    if (answer.body === null) return answer;
    const { stream, end } = endable(answer.body as ReadableStream<Uint8Array<ArrayBuffer>>);
    this.#endings.add(end);
    const forget = () => this.#endings.delete(end);
    info.completed.then(forget, forget);
    return withBody(answer, stream);
  }

  /** Counts an answer as under way until the runtime is done with it. */
  track(answer: Promise<Response>, info?: Deno.ServeHandlerInfo): Promise<Response> {
    this.#count(info?.completed ?? answer);
    return answer;
  }

  #count(completed: Promise<unknown>): void {
    this.#inFlight++;
    completed.then(this.#settle, this.#settle);
  }

  readonly #settle = () => {
    if (--this.#inFlight === 0) this.#whenIdle?.();
  };
}

function failure({ status, detail }: Failure): Response {
  return status === 413 ? dropping(413, detail) : refusal(status, detail);
}
