/** One run of the server, from a start to a stop: its requests, its WebSockets, and how both end. */

import { type Address, canonicalIP } from "./address.ts";
import { faultOf } from "./fault.ts";
import { CLEAR_TEXT, ClearText } from "../operator/clear_text.ts";
import type { Cooks } from "../operator/cooks.ts";
import { ANSWER_TURNS, headerOf, turns } from "./deno.ts";
import { asksForWebSocket } from "./handshake.ts";
import { Requests } from "./requests.ts";
import type { WebServerParameters } from "../operator/parameters.ts";
import type { RequestContext } from "../operator/request.ts";
import { refusal, refusalOf } from "../operator/response.ts";
import { type Slots, WebSockets } from "./sockets.ts";
import { within } from "./within.ts";

/** What the runs of a server have in common. */
export interface Operator {
  readonly cooks: Cooks;
  readonly slots: Slots;
  parameters(): WebServerParameters;
}

/** One run. */
export class Run {
  readonly sockets: WebSockets;
  readonly #requests: Requests;
  readonly #operator: Operator;
  readonly #stopped = new AbortController();
  #ended = false;
  #context: RequestContext;

  /**
   * @param listening Where it listens, as far as that is known
   * @param secure Whether what comes is encrypted
   */
  constructor(operator: Operator, listening: Address | undefined, secure: boolean) {
    const { cooks, slots, parameters } = operator;
    this.#operator = operator;
    this.#requests = new Requests(cooks, parameters);
    this.sockets = new WebSockets(cooks, parameters, slots, this.#requests.sendings);
    this.#context = {
      listening,
      trustedProxies: new Set(),
      stopped: this.#stopped.signal,
      clearText: secure ? undefined : new ClearText(() => cooks.warn("clear text", CLEAR_TEXT)),
    };
    this.configure();
  }

  /** Takes what has changed in the parameters and is not read from them each time. */
  configure(): void {
    const { trustedProxies } = this.#operator.parameters();
    this.#context = { ...this.#context, trustedProxies: new Set(trustedProxies.map((proxy) => canonicalIP(proxy)!)) };
  }

  /** Answers a request. */
  fetch(request: Request, info: Deno.ServeHandlerInfo | undefined): Response | Promise<Response> {
    if (this.#ended) return refusalOf(request, 503, "The server stops", { connection: "close" });
    const upgrade = headerOf(request, "upgrade");
    if (upgrade !== null && asksForWebSocket(upgrade)) return this.#accept(request, info);
    return this.#requests.answer(request, info, this.#context);
  }

  #accept(request: Request, info: Deno.ServeHandlerInfo | undefined): Response | Promise<Response> {
    try {
      const answer = this.sockets.accept(request, info, this.#context);
      if (request.method !== "GET" && answer instanceof Response) {
        return this.#requests.leaveBody(request, info, this.#context, answer);
      }
      return answer instanceof Promise ? this.#requests.track(answer) : answer;
    } catch (error) {
      const fault = faultOf(error);
      if (fault) return refusal(fault.status, fault.detail);
      throw error;
    }
  }

  /**
   * Takes no more, and ends what is under way: WebSockets by a close, event streams by their end, other answers in the time that
   * they need.
   *
   * @param milliseconds To wait for that; what has not ended then is given up
   */
  async end(milliseconds: number): Promise<void> {
    this.#ended = true;
    this.#stopped.abort(new DOMException("The server stops", "AbortError"));
    this.#requests.sendings.end();
    const closed = this.sockets.close(1001, "The server stops");
    // A callback that loads a built-in module is interrupted by what awaits something: its answer has yet to be counted.
    await turns();
    await within(milliseconds, Promise.all([closed, this.#requests.idle()]));
    this.#operator.cooks.deadlines.giveUpAll();
    this.#requests.abandon();
    this.sockets.abandon();
    // An answer that was just given takes one turn to be completed, and the rest of a refused body is let go after it.
    await turns(1 + ANSWER_TURNS);
  }
}
