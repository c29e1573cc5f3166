/** The path of an HTTP request: its body, the hook that answers it, the answer. */

import { isLasting, refusalOf } from "./answer.ts";
import { Bodies } from "./bodies.ts";
import { RequestBody } from "./body.ts";
import { bound } from "./bounded_request.ts";
import type { Engine } from "./engine.ts";
import type { Exchange } from "./exchange.ts";
import { Failure, type Fault, faultOf, type FaultStatus } from "./fault.ts";
import type { Answer, Hooks } from "./hooks.ts";
import type { Limits, Settings } from "./limits.ts";
import { originObjection } from "./origin.ts";
import { Sendings } from "./sending.ts";

/** The limit that a refused body has met, by the status of its refusal. */
const LIMITS: Record<FaultStatus, keyof Limits | undefined> = {
  400: undefined,
  408: "requestTimeout",
  413: "maxBodySize",
  503: "maxBodyMemory",
};
/** Methods that web pages of other origins may use: they change nothing (RFC 9110, section 9.2.1). */
const SAFE = ["GET", "HEAD", "OPTIONS"];

type Sent = Response | Promise<Response>;

/** Answers requests, and knows how many answers are under way. */
export class Requests {
  readonly sendings: Sendings;
  readonly #hooks: Hooks;
  readonly #settings: Settings;
  readonly #bodies: Bodies;
  /** Answers that are awaited, or that Deno has not finished yet. */
  #inFlight = 0;
  #whenIdle: (() => void) | undefined;

  constructor({ hooks, settings, deadlines }: Engine) {
    this.#hooks = hooks;
    this.#settings = settings;
    this.#bodies = new Bodies(settings, deadlines);
    this.sendings = new Sendings(
      settings,
      (client) =>
        hooks.warn(
          "stalled",
          `${client} did not read its answer, so the answer was dropped: see parameter "idleTimeout"`,
        ),
    );
  }

  /** The answer to a request. A promise only if there is a body to receive or the hook returns one. */
  answer(exchange: Exchange): Sent {
    const { method } = exchange.request;
    if (method !== "GET" && method !== "HEAD") return this.#answerWithBody(exchange);
    return this.counted(this.#respond(exchange), exchange);
  }

  /** Resolves when no answer is under way. */
  async idle(): Promise<void> {
    if (this.#inFlight > 0) await new Promise<void>((resolve) => this.#whenIdle = resolve);
  }

  /** Abandons the requests under way: no body is read any further. */
  abandon(): void {
    this.#bodies.areOver = true;
  }

  /** Answers a request without using its body. An unread body would end the connection, with the requests that follow on it. */
  leaveBody(exchange: Exchange, answer: Response): Sent {
    this.#countAnswer(exchange);
    return this.#bodyOf(exchange).refuse(answer);
  }

  #answerWithBody(exchange: Exchange): Sent {
    const body = exchange.body = this.#bodyOf(exchange);
    const refused = this.#refused(exchange, body);
    if (refused) {
      this.#countAnswer(exchange);
      return refused;
    }
    if (this.#settings.limits.body === "buffer") {
      if (!body.isEmpty) return this.#answerToWhole(exchange, body);
      exchange.body = undefined;
      return this.counted(this.#respond(exchange), exchange);
    }
    // Even a body of length 0: over HTTP/2 its end may be missing, or data may arrive all the same.
    bound(exchange.request, body);
    return this.track(Promise.resolve(this.#respond(exchange)).finally(() => body.release()), exchange.info);
  }

  #bodyOf({ request, info, context }: Exchange): RequestBody {
    return new RequestBody(request, info, context.stopped, this.#bodies);
  }

  /** Refuses a request for reasons that are known before its body has arrived. */
  #refused(exchange: Exchange, body: RequestBody): Sent | undefined {
    const { request } = exchange;
    if (!SAFE.includes(request.method)) {
      const detail = originObjection(request, this.#settings.limits, this.#hooks);
      if (detail !== undefined) return body.refuse(403, detail);
    }
    if (body.isCoded) return body.refuse(501, "Unsupported Transfer-Encoding: only chunked is supported");
    const fault = body.fault();
    return fault && this.#refuse(exchange, body, fault);
  }

  /** Refuses a body, and says so if a limit is the reason. */
  #refuse(exchange: Exchange, body: RequestBody, { status, detail }: Fault): Sent {
    const limit = LIMITS[status];
    if (limit) {
      this.#hooks.warn(`body ${status}`, `${exchange.client} was refused: ${detail}. See parameter "${limit}"`);
    }
    return body.refuse(status, detail);
  }

  /** Refuses a body that could not be received. */
  #refuseFor(error: unknown, exchange: Exchange, body: RequestBody): Sent {
    const fault = faultOf(error);
    if (fault === undefined) {
      body.release();
      throw error;
    }
    return this.#refuse(exchange, body, fault);
  }

  /** The answer to a request whose body is received first. */
  #answerToWhole(exchange: Exchange, body: RequestBody): Sent {
    try {
      exchange.data = body.takeArrived();
    } catch (error) {
      this.#countAnswer(exchange);
      return this.#refuseFor(error, exchange, body);
    }
    if (exchange.data === undefined) return this.track(this.#receive(exchange, body), exchange.info);
    const answer = this.#respond(exchange);
    if (answer instanceof Promise) return this.track(answer.finally(() => body.release()), exchange.info);
    body.release();
    return this.counted(answer, exchange);
  }

  async #receive(exchange: Exchange, body: RequestBody): Promise<Response> {
    // Known from now on: Deno forgets the address of a client that leaves.
    void exchange.client;
    try {
      exchange.data = await body.bytes();
    } catch (error) {
      return await this.#refuseFor(error, exchange, body);
    }
    try {
      return await this.#respond(exchange);
    } finally {
      body.release();
    }
  }

  #respond(exchange: Exchange): Sent {
    const answer = this.#hooks.request(exchange);
    return answer instanceof Promise
      ? answer.then((settled) => this.#finish(settled, exchange))
      : this.#finish(answer, exchange);
  }

  #finish(answer: Answer, { request, body }: Exchange): Sent {
    if (!(answer instanceof Failure)) return answer;
    return body ? body.refuse(answer.status, answer.detail) : refusalOf(request, answer.status, answer.detail);
  }

  /** Counts an answer as under way, if it is not with Deno as soon as it is given. */
  counted(answer: Sent, exchange: Exchange): Sent {
    if (answer instanceof Promise) return this.track(answer, exchange.info);
    if (isLasting(answer)) this.#countAnswer(exchange);
    return answer;
  }

  /** Counts an answer as under way until Deno is done with it. */
  track(answer: Promise<Response>, info?: Deno.ServeHandlerInfo): Promise<Response> {
    this.#count(info?.completed ?? answer);
    return answer;
  }

  #countAnswer({ info }: Exchange): void {
    if (info) this.#count(info.completed);
  }

  #count(completed: Promise<unknown>): void {
    this.#inFlight++;
    completed.then(this.#settle, this.#settle);
  }

  readonly #settle = () => {
    if (--this.#inFlight === 0) this.#whenIdle?.();
  };
}
