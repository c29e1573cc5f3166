/** What signals do to the program, and how it ends. */

import type { WebServer } from "../../server.ts";
import { flushConsole } from "../operator/console.ts";
import { COULD_NOT_START } from "./exit_codes.ts";

/** Milliseconds that the console has at the end. */
const FLUSH = 1_000;

/** Stops the server, and ends the process: a connection that Deno cannot close would keep it. */
async function end(server: WebServer, stopped: () => void): Promise<void> {
  // It has lost its port, and could not get it back.
  const code = server.parameters.active && server.address === undefined ? COULD_NOT_START : 0;
  await server.stop().catch(() => {});
  stopped();
  await flushConsole(FLUSH);
  Deno.exit(code);
}

/**
 * Stops or restarts the server at a signal. A second one that stops has its default effect, which ends the process at once.
 *
 * @param stopped Called when the server has stopped, before the process ends
 */
export function heedSignals(server: WebServer, stopped: () => void): void {
  const windows = Deno.build.os === "windows";
  const stopping: Deno.Signal[] = windows ? ["SIGINT", "SIGBREAK"] : ["SIGINT", "SIGTERM"];
  const stop = () => {
    for (const signal of stopping) Deno.removeSignalListener(signal, stop);
    void end(server, stopped);
  };
  if (!windows) {
    // Outside of Linux, nohup leaves the terminal as standard input.
    const files = Deno.build.os === "linux" ? [Deno.stdin, Deno.stdout, Deno.stderr] : [Deno.stdout, Deno.stderr];
    // Without a terminal, as under nohup, SIGHUP means nothing.
    if (files.some((file) => file.isTerminal())) stopping.push("SIGHUP");
    else Deno.addSignalListener("SIGHUP", () => {});
    // SIGUSR1 would open Deno's inspector to everybody on this machine.
    Deno.addSignalListener("SIGUSR2", () => void server.restart());
  }
  for (const signal of stopping) Deno.addSignalListener(signal, stop);
}
