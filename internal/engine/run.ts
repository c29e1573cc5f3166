/** One run of the server, from a start to a stop: its requests, its WebSockets, and how both end. */

import type { Address } from "./address.ts";
import { ANSWER_TURNS, headerOf, turns } from "./deno.ts";
import type { Engine } from "./engine.ts";
import { type Context, Exchange } from "./exchange.ts";
import { faultOf } from "./fault.ts";
import { asksForWebSocket } from "./handshake.ts";
import { TrustedProxies } from "./proxies.ts";
import { refusal, refusalOf } from "./answer.ts";
import { Requests } from "./requests.ts";
import { WebSockets } from "./sockets.ts";
import { within } from "./within.ts";

/** One run. */
export class Run {
  readonly sockets: WebSockets;
  readonly #requests: Requests;
  readonly #engine: Engine;
  readonly #stopped = new AbortController();
  #ended = false;
  #context: Context;
  /** For requests whose answers only Deno reads. */
  #contextOfDeno: Context;

  /** @param listening Where it listens, if that is known */
  constructor(engine: Engine, listening: Address | undefined) {
    this.#engine = engine;
    this.#requests = new Requests(engine);
    this.sockets = new WebSockets(engine);
    this.#context = {
      listening,
      proxies: undefined,
      settings: engine.settings,
      stopped: this.#stopped.signal,
      sendings: this.#requests.sendings,
      isReadByDeno: false,
    };
    this.#contextOfDeno = this.#context;
    this.configure();
  }

  /** Recomputes what is derived from the limits. */
  configure(): void {
    const { trustedProxies } = this.#engine.settings.limits;
    const proxies = trustedProxies.length === 0 ? undefined : new TrustedProxies(trustedProxies);
    this.#context = { ...this.#context, proxies };
    this.#contextOfDeno = { ...this.#context, isReadByDeno: true };
  }

  /**
   * Answers a request.
   *
   * @param isReadByDeno Whether only Deno reads the answer
   */
  fetch(
    request: Request,
    info: Deno.ServeHandlerInfo | undefined,
    isReadByDeno: boolean,
  ): Response | Promise<Response> {
    if (this.#ended) return refusalOf(request, 503, "The server is stopping", { connection: "close" });
    const exchange = new Exchange(request, info, isReadByDeno ? this.#contextOfDeno : this.#context);
    const upgrade = headerOf(request, "upgrade");
    if (upgrade !== null && asksForWebSocket(upgrade)) return this.#accept(exchange);
    return this.#requests.answer(exchange);
  }

  #accept(exchange: Exchange): Response | Promise<Response> {
    try {
      const answer = this.sockets.accept(exchange);
      if (answer instanceof Promise) {
        return this.#requests.track(answer.then((settled) => this.#requests.counted(settled, exchange)));
      }
      if (exchange.request.method !== "GET") return this.#requests.leaveBody(exchange, answer);
      return this.#requests.counted(answer, exchange);
    } catch (error) {
      const fault = faultOf(error);
      if (fault) return refusal(fault.status, fault.detail);
      throw error;
    }
  }

  /**
   * Accepts no more requests, and ends those under way: WebSockets are closed, event streams end, and other answers get the time that they
   * need.
   *
   * @param milliseconds How long to wait for that; everything that has not ended by then is dropped
   */
  async end(milliseconds: number): Promise<void> {
    this.#ended = true;
    this.#stopped.abort(new DOMException("The server is stopping", "AbortError"));
    this.#requests.sendings.end();
    const closed = this.sockets.close(1001, "The server is stopping");
    // While a callback loads a built-in module, other async code may run, such as this; the answer of that callback is not counted yet.
    await turns();
    await within(milliseconds, Promise.all([closed, this.#requests.idle()]));
    this.#engine.deadlines.giveUpAll();
    this.#requests.abandon();
    this.sockets.abandon();
    // An answer that was just given takes one turn to be completed; the rest of a refused body is released after that.
    await turns(1 + ANSWER_TURNS);
  }
}
