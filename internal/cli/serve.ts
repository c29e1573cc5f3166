/** The command that has no name: it runs the server. */

import type { WebServer } from "../../server.ts";
import { print } from "../operator/console.ts";
import { Throttle } from "../operator/throttle.ts";
import { COULD_NOT_START } from "./exit_codes.ts";
import { greeting } from "./greeting.ts";
import { heedSignals } from "./signals.ts";

/** What is shown beside the first lines. */
export interface Show {
  /** A line for each request and WebSocket. */
  readonly log: boolean;
  /** A QR code of the address. */
  readonly qr: boolean;
}

/** An error that nobody catches, in a timer of a callback or in Deno itself, does not end the show. */
function surviveErrors(server: WebServer): Throttle {
  const throttle = new Throttle();
  const survive = (event: Event, what: string, error: unknown) => {
    event.preventDefault();
    if (throttle.admit(what) !== undefined) print("error", `${server.name}: ${what}`, error);
  };
  globalThis.addEventListener("unhandledrejection", (event) => survive(event, "unhandled rejection", event.reason));
  globalThis.addEventListener("error", (event) => survive(event, "uncaught error", event.error));
  return throttle;
}

async function showQRCode(server: WebServer): Promise<void> {
  try {
    const { qrCode } = await import("./qr_code.ts");
    for (const line of await qrCode(server.address!)) print("log", line);
  } catch (error) {
    print("error", `${server.name}: ${(error as Error).message}`);
  }
}

/** Runs the server until a signal ends the process. */
export async function serve(server: WebServer, { log, qr }: Show): Promise<void> {
  const throttle = surviveErrors(server);
  if (log) {
    const { logRequests } = await import("./request_log.ts");
    logRequests(server, (line) => print("log", line));
  }
  heedSignals(server, () => {
    const dropped = throttle.takeDropped();
    if (dropped > 0) print("warn", `${server.name}: not printed: ${dropped} more of these errors`);
  });
  try {
    await server.start();
  } catch (error) {
    print("error", `${server.name}: ${(error as Error).message}`);
    Deno.exitCode = COULD_NOT_START;
    return;
  }
  for (const line of greeting(server.name, server.address!)) print("log", line);
  if (qr) await showQRCode(server);
}
