/** The callbacks as hooks of the engine. */

import { refusalOf } from "../engine/answer.ts";
import type { Exchange } from "../engine/exchange.ts";
import { Failure } from "../engine/fault.ts";
import { checkAcceptance, PROTOCOL } from "../engine/handshake.ts";
import type { Answer, Decision, Hooks } from "../engine/hooks.ts";
import type { Cooks } from "./cooks.ts";
import type { ResponseDictionary } from "./dictionaries.ts";
import { isDictionary } from "./header_fields.ts";
import { requestDictionary } from "./request.ts";
import { cancel, checkNames, headersOf, responseDictionary, toResponse } from "./response.ts";

const NOTHING = "onHTTPRequest returned nothing, so the answer is 404. End it with: return response";
/** What a callback did whose answer cannot be sent. */
const UNSENDABLE = "returned an answer that cannot be sent:";
/** The reason phrase of 101. */
const SWITCHING = "Switching Protocols";

/** The hooks that run an operator's callbacks. */
export class CallbackHooks implements Hooks {
  readonly #cooks: Cooks;
  readonly #warn = (kind: string, message: string) => this.warn(kind, message);

  constructor(cooks: Cooks) {
    this.#cooks = cooks;
  }

  request(exchange: Exchange): Answer | Promise<Answer> {
    const result = this.#cooks.run(
      "onHTTPRequest",
      [requestDictionary(exchange), responseDictionary()],
      exchange.body?.progress,
    );
    return result instanceof Promise
      ? result.then((settled) => this.#answer(settled, exchange))
      : this.#answer(result, exchange);
  }

  handshake(exchange: Exchange, protocol: string | undefined): Decision | Promise<Decision> {
    const response: ResponseDictionary = { ...responseDictionary(), statusCode: 101, statusReason: SWITCHING };
    if (protocol !== undefined) response["Sec-WebSocket-Protocol"] = protocol;
    const given = { response, protocol };
    if (!this.#cooks.has("onWebSocketRequest")) return this.#decide(response, exchange, given);
    const result = this.#cooks.run("onWebSocketRequest", [requestDictionary(exchange), response]);
    return result instanceof Promise
      ? result.then((settled) => this.#decide(settled ?? response, exchange, given))
      : this.#decide(result ?? response, exchange, given);
  }

  open(client: string, uri: string): unknown {
    return this.#cooks.run("onWebSocketOpen", [client, uri]);
  }

  text(client: string, data: string): unknown {
    return this.#cooks.run("onWebSocketReceiveText", [client, data]);
  }

  binary(client: string, data: Uint8Array<ArrayBuffer>): unknown {
    return this.#cooks.run("onWebSocketReceiveBinary", [client, data]);
  }

  close(client: string, code: number, reason: string): unknown {
    return this.#cooks.run("onWebSocketClose", [client, code, reason]);
  }

  report(error: unknown): void {
    this.#cooks.report(error, "onWebSocketRequest", false, UNSENDABLE);
  }

  warn(kind: string, message: string): void {
    this.#cooks.warn(kind, message);
  }

  #answer(result: unknown, exchange: Exchange): Answer {
    if (result instanceof Failure) return result;
    if (result === undefined) {
      if (this.#cooks.has("onHTTPRequest")) this.#cooks.warn("nothing", NOTHING);
      return refusalOf(exchange.request, 404);
    }
    try {
      return toResponse(result, exchange, this.#warn);
    } catch (error) {
      this.#cooks.report(error, "onHTTPRequest", false, UNSENDABLE);
      return new Failure(500);
    }
  }

  #decide(decision: unknown, exchange: Exchange, { response, protocol }: Given): Decision {
    if (decision instanceof Failure) return decision;
    try {
      const isAccepted = !(decision instanceof Response) && (decision as ResponseDictionary).statusCode === 101;
      if (!isAccepted) return toResponse(refusalFrom(decision, protocol), exchange, this.#warn);
      // An accepted handshake has no body.
      cancel(decision);
      checkNames(decision as ResponseDictionary);
      const headers = headersOf(decision as ResponseDictionary);
      checkAcceptance(headers, exchange.request);
      // Another dictionary lacks the sub-protocol that was filled in.
      if (decision !== response && protocol !== undefined && !headers.has(PROTOCOL)) headers.set(PROTOCOL, protocol);
      return headers;
    } catch (error) {
      cancel(decision);
      this.report(error);
      return new Failure(500);
    }
  }
}

/** The values that a callback starts from when it decides about a handshake. */
interface Given {
  readonly response: ResponseDictionary;
  /** The sub-protocol that is picked unless the callback picks another one. */
  readonly protocol: string | undefined;
}

/** The refusal of a WebSocket, without the values in its dictionary that were meant for accepting it. */
function refusalFrom(decision: unknown, protocol: string | undefined): unknown {
  if (!isDictionary(decision)) return decision;
  const { "Sec-WebSocket-Protocol": picked, statusReason, ...others } = decision;
  return {
    ...others,
    ...(picked !== protocol && { "Sec-WebSocket-Protocol": picked }),
    ...(statusReason !== SWITCHING && { statusReason }),
  };
}
