/** The request log of the command line: a line for each request, when it is answered. */

import type { WebServer } from "../../server.ts";
import { clientAddressOf } from "../engine/client.ts";
import { TrustedProxies } from "../engine/proxies.ts";
import { targetOf } from "../engine/target.ts";
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

/**
 * Logs every request of a server: time, client, method, uri, status and reason, and the milliseconds to the answer.
 *
 * @param write Gets each line
 */
export function logRequests(server: WebServer, write: (line: string) => void): void {
  const { fetch } = server;
  server.fetch = (request, info) => {
    const start = performance.now();
    const { trustedProxies } = server.parameters;
    const trusted = trustedProxies.length === 0 ? undefined : new TrustedProxies(trustedProxies);
    // Before the answer, since an upgraded request is forgotten by the runtime.
    const client = clientAddressOf(request, info, trusted) || "-";
    const asked = `${printable(request.method)} ${printable(pathOf(request))}`;
    const log = (answer: Response) => {
      const milliseconds = (performance.now() - start).toFixed(1);
      const outcome = `${answer.status} ${printable(reasonOf(answer))}`;
      write(`${new Date().toISOString()} ${client} ${asked} ${outcome} ${milliseconds} ms`);
      return answer;
    };
    const answer = fetch(request, info);
    return answer instanceof Promise ? answer.then(log) : log(answer);
  };
}
