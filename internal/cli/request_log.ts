/** The log of the command line: a line for each request when it is answered, and for each WebSocket when it opens and closes. */

import type { WebServer } from "../../server.ts";
import { clientAddressOf } from "../engine/client.ts";
import { headerOf } from "../engine/deno.ts";
import { asksForWebSocket } from "../engine/handshake.ts";
import { TrustedProxies } from "../engine/proxies.ts";
import { targetOf } from "../engine/target.ts";
import { observeCallbacks } from "../operator/cooks.ts";
import { reasonOf } from "../operator/response.ts";

/** Printable ASCII as it is; anything else, control characters first of all, escaped. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/gu, (character) => encodeURIComponent(character.toWellFormed()));
}

/** The path: a query may have secrets in it. */
function pathOf(request: Request): string {
  try {
    return targetOf(request).replace(/\?.*$/s, "");
  } catch {
    return "-";
  }
}

/** Logs every WebSocket of a server: time, client, path, and of a close its code and reason. */
function logWebSockets(server: WebServer, write: (line: string) => void): void {
  const paths = new Map<string, string>();
  const log = (client: string, what: string) => {
    write(`${new Date().toISOString()} ${client} WebSocket ${paths.get(client) ?? "-"} ${what}`);
  };
  observeCallbacks(server, (name, [client, second, third]) => {
    if (name === "onWebSocketOpen") {
      paths.set(client as string, printable(String(second).replace(/\?.*$/s, "")));
      log(client as string, "opens");
    } else if (name === "onWebSocketClose") {
      log(client as string, `closes ${second} ${printable(String(third))}`.trimEnd());
      paths.delete(client as string);
    }
  });
}

/**
 * Logs every request of a server: time, client, method, path, status and reason, and the milliseconds to the answer.
 *
 * After a refused handshake stands that it was one.
 *
 * @param write Gets each line
 */
export function logRequests(server: WebServer, write: (line: string) => void): void {
  logWebSockets(server, write);
  const { fetch } = server;
  let list: readonly string[] = [];
  let trusted: TrustedProxies | undefined;
  server.fetch = (request, info) => {
    const start = performance.now();
    const { trustedProxies } = server.parameters;
    if (trustedProxies !== list) {
      list = trustedProxies;
      trusted = list.length === 0 ? undefined : new TrustedProxies(list);
    }
    // Before the answer, since Deno forgets an upgraded request.
    const client = clientAddressOf(request, info, trusted) || "-";
    const asked = `${printable(request.method)} ${printable(pathOf(request))}`;
    const isHandshake = asksForWebSocket(headerOf(request, "upgrade") ?? "");
    const log = (answer: Response) => {
      const milliseconds = (performance.now() - start).toFixed(1);
      const outcome = `${answer.status} ${printable(reasonOf(answer))}`;
      const refused = isHandshake && answer.status !== 101 ? " (a WebSocket was refused)" : "";
      write(`${new Date().toISOString()} ${client} ${asked} ${outcome} ${milliseconds} ms${refused}`);
      return answer;
    };
    const answer = fetch(request, info);
    return answer instanceof Promise ? answer.then(log) : log(answer);
  };
}
