/** A server that `deno serve` runs: `deno serve` owns the listener. */

import { canonicalIP, isLoopback } from "../engine/address.ts";
import type { ListenAddress } from "../engine/listener.ts";
import { defaults, type WebServerParameters } from "./parameters.ts";

/**
 * Refuses parameters of the listener that differ from the listener of `deno serve`.
 *
 * @param address Where `deno serve` listens; undefined on a Unix socket
 * @throws {Error} Names the flag to use instead
 */
export function refuseIgnored(parameters: WebServerParameters, address: ListenAddress | undefined): void {
  const { secure, compression, port, localaddress } = parameters;
  if (secure) {
    throw new Error(
      'Cannot keep parameter "secure": `deno serve` serves plain HTTP. Leave it out and put a proxy in front, or call ' +
        "server.start() and run the program by `deno run`",
    );
  }
  if (compression) {
    throw new Error(
      'Cannot keep parameter "compression": `deno serve` decides about that. Leave it out and set the environment variable ' +
        "DENO_SERVE_AUTOMATIC_COMPRESSION=1",
    );
  }
  // 0 asks for any port.
  if (port !== 0 && port !== defaults.port && port !== address?.port) {
    throw new Error(
      `Cannot keep parameter "port" set to ${port}: \`deno serve\` listens on ${
        where(address?.port)
      }. Leave it out and ` +
        `run \`deno serve --port ${port}\``,
    );
  }
  if (localaddress !== "" && !isSame(localaddress, address)) {
    throw new Error(
      `Cannot keep parameter "localaddress" set to "${localaddress}": \`deno serve\` listens on ` +
        `${where(address?.hostname)}. Leave it out and run \`deno serve --host ${localaddress}\``,
    );
  }
}

function where(value: string | number | undefined): string {
  return value === undefined ? "a Unix socket" : String(value);
}

function isSame(wanted: string, address: ListenAddress | undefined): boolean {
  if (address === undefined) return false;
  if (wanted === "localhost") return isLoopback(address.hostname);
  return canonicalIP(wanted) === canonicalIP(address.hostname);
}

/** Calls `stop` at the first signal that ends `deno serve`. A second one ends the process at once. */
export function onStopSignal(stop: () => void): void {
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT", "SIGBREAK"] : ["SIGINT", "SIGTERM"];
  // Signal listeners do not keep the process alive. Deno's own listener may run first and close everything that does (S3).
  const keep = setInterval(() => {}, 2 ** 30);
  const heed = () => {
    clearInterval(keep);
    for (const signal of signals) Deno.removeSignalListener(signal, heed);
    stop();
  };
  for (const signal of signals) Deno.addSignalListener(signal, heed);
}

/** Ends the process after `shutdownTimeout` if it is still there: a client that does not read would keep it alive for ever (W4). */
export function endProcess({ shutdownTimeout }: WebServerParameters): void {
  // This timer must not keep the process alive itself.
  Deno.unrefTimer(setTimeout(() => Deno.exit(0), shutdownTimeout * 1000));
}
