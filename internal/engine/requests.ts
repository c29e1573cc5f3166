/** The way of an HTTP request: its body, its callback, its answer. */

import { faultOf } from "./fault.ts";
import { BodyMemory, bound, RequestBody } from "./body.ts";
import { type Cooks, Failure } from "../operator/cooks.ts";
import { originObjection } from "./origin.ts";
import type { WebServerParameters } from "../operator/parameters.ts";
import { type RequestContext, requestDictionary } from "../operator/request.ts";
import { isLasting, refusalOf, responseDictionary, toResponse } from "../operator/response.ts";
import { Sendings } from "./sending.ts";

const NOTHING = "onHTTPRequest returned nothing, so the answer is 404. End it with: return response";
const STALLED = 'A client read nothing of its answer, so the answer is dropped: see parameter "idleTimeout"';
/** Methods that web pages of other origins may send: they change nothing (RFC 9110, section 9.2.1). */
const SAFE = ["GET", "HEAD", "OPTIONS"];

type Answer = Response | Promise<Response>;

/** A request on its way. */
interface Exchange {
  readonly request: Request;
  readonly info: Deno.ServeHandlerInfo | undefined;
  readonly context: RequestContext;
  /** Absent if there can be none. */
  readonly body?: RequestBody;
}

/** Answers requests, and knows how many answers are under way. */
export class Requests {
  readonly sendings: Sendings;
  readonly #cooks: Cooks;
  readonly #parameters: () => WebServerParameters;
  readonly #memory = new BodyMemory();
  /** Answers that are awaited, or not yet taken by Deno. */
  #inFlight = 0;
  #whenIdle: (() => void) | undefined;
  #isOver = false;
  readonly #warn = (kind: string, message: string) => this.#cooks.warn(kind, message);

  constructor(cooks: Cooks, parameters: () => WebServerParameters) {
    this.#cooks = cooks;
    this.#parameters = parameters;
    this.sendings = new Sendings(() => parameters().idleTimeout, () => cooks.warn("stalled", STALLED));
  }

  /** The answer to a request. A promise only if there is a body to receive or the callback returns one. */
  answer(request: Request, info: Deno.ServeHandlerInfo | undefined, context: RequestContext): Answer {
    const { method } = request;
    if (method !== "GET" && method !== "HEAD") return this.#answerWithBody(request, info, context);
    return this.#counted(this.#respond({ request, info, context }), info);
  }

  /** Resolves when no answer is under way. */
  async idle(): Promise<void> {
    if (this.#inFlight > 0) await new Promise<void>((resolve) => this.#whenIdle = resolve);
  }

  /** Abandons what is under way: no body is read any further. */
  abandon(): void {
    this.#isOver = true;
  }

  #answerWithBody(request: Request, info: Deno.ServeHandlerInfo | undefined, context: RequestContext): Answer {
    const body = this.#bodyOf(request, info, context);
    const exchange = { request, info, context, body };
    const refused = this.#refused(request, body);
    if (refused) {
      if (info) this.#count(info.completed);
      return refused;
    }
    if (this.#parameters().body === "buffer") {
      if (body.isEmpty) return this.#counted(this.#respond({ request, info, context }), info);
      return this.track(this.#receive(exchange), info);
    }
    // Also a body of length 0: over HTTP/2 its end may be missing, or data may come all the same.
    bound(request, body);
    return this.track(Promise.resolve(this.#respond(exchange)).finally(() => body.release()), info);
  }

  #bodyOf(request: Request, info: Deno.ServeHandlerInfo | undefined, context: RequestContext): RequestBody {
    return new RequestBody(request, {
      memory: this.#memory,
      deadlines: this.#cooks.deadlines,
      limits: this.#parameters,
      stopped: context.stopped,
      isOver: () => this.#isOver,
      info,
    });
  }

  /** An answer to a request whose body is not taken. Unread, it would end the connection with the requests behind it. */
  leaveBody(
    request: Request,
    info: Deno.ServeHandlerInfo | undefined,
    context: RequestContext,
    answer: Response,
  ): Answer {
    if (info) this.#count(info.completed);
    return this.#bodyOf(request, info, context).refuse(answer.status, undefined, answer);
  }

  /** The refusal of a request by what is known of it before its body has arrived. */
  #refused(request: Request, body: RequestBody): Answer | undefined {
    if (!SAFE.includes(request.method)) {
      const detail = originObjection(request, this.#parameters(), this.#cooks);
      if (detail !== undefined) return body.refuse(403, detail);
    }
    if (body.isCoded) return body.refuse(501, "The only transfer coding is chunked");
    const fault = body.fault();
    return fault && body.refuse(fault.status, fault.detail);
  }

  async #receive(exchange: Exchange & { readonly body: RequestBody }): Promise<Response> {
    const { body } = exchange;
    let data;
    try {
      data = await body.bytes();
    } catch (error) {
      const fault = faultOf(error);
      if (fault === undefined) throw error;
      return await body.refuse(fault.status, fault.detail);
    }
    try {
      return await this.#respond(exchange, data);
    } finally {
      body.release();
    }
  }

  #respond(exchange: Exchange, data?: Uint8Array<ArrayBuffer>): Answer {
    const { request, info, context, body } = exchange;
    const dictionary = requestDictionary(request, info, context, body, data);
    const result = this.#cooks.run("onHTTPRequest", [dictionary, responseDictionary()], body?.progress);
    return result instanceof Promise
      ? result.then((settled) => this.#finish(settled, exchange))
      : this.#finish(result, exchange);
  }

  #finish(result: unknown, { request, context, body }: Exchange): Answer {
    if (result instanceof Failure && body) return body.refuse(result.status, result.detail);
    const answer = this.#answerOf(result, request);
    if (context.clearText?.suspects) context.clearText.answered(request, answer.status);
    return answer;
  }

  #answerOf(result: unknown, request: Request): Response {
    if (result instanceof Failure) return refusalOf(request, result.status, result.detail);
    if (result === undefined) {
      if (this.#cooks.has("onHTTPRequest")) this.#cooks.warn("nothing", NOTHING);
      return refusalOf(request, 404);
    }
    try {
      return toResponse(result, request, this.sendings, this.#warn);
    } catch (error) {
      this.#cooks.report(error, "onHTTPRequest");
      return refusalOf(request, 500);
    }
  }

  #counted(answer: Answer, info: Deno.ServeHandlerInfo | undefined): Answer {
    if (answer instanceof Promise) return this.track(answer, info);
    if (info && isLasting(answer)) this.#count(info.completed);
    return answer;
  }

  /** Counts an answer as under way until Deno is done with it. */
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
