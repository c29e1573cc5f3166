/** The seam between the engine and the program in front of it. */

import type { Exchange } from "./exchange.ts";
import type { Failure } from "./fault.ts";

/** The answer to a request, or the status to send if there is no answer. */
export type Answer = Response | Failure;

/** The functions that the engine calls. No hook throws, and no promise of a hook rejects. */
export interface Hooks {
  /** Answers a request. */
  request(exchange: Exchange): Answer | Promise<Answer>;
  /**
   * Decides about a valid WebSocket handshake: the headers to accept it with, or the answer that refuses it.
   *
   * @param protocol The sub-protocol that the client prefers
   */
  handshake(exchange: Exchange, protocol: string | undefined): Decision | Promise<Decision>;
  /** A WebSocket is open. What this returns is awaited before the next event of this client. */
  open(client: string, uri: string): unknown;
  /** A text message has arrived. */
  text(client: string, data: string): unknown;
  /** A binary message has arrived. */
  binary(client: string, data: Uint8Array<ArrayBuffer>): unknown;
  /** A WebSocket that was open is closed. */
  close(client: string, code: number, reason: string): unknown;
  /** The engine failed to answer. */
  report(error: unknown): void;
  /**
   * Reports something that the user should know.
   *
   * @param kind Groups messages of which only some are printed; must not come from a client
   */
  warn(kind: string, message: string): void;
}

/** The decision about a handshake: headers accept it, an answer refuses it. */
export type Decision = Headers | Answer;
