/** A server as the program of `deno serve`, which owns the listener. */

import { canonicalIP, isLoopback } from "../engine/address.ts";
import type { ListenAddress } from "../engine/listener.ts";
import { defaults, type WebServerParameters } from "./parameters.ts";

/**
 * Refuses parameters that `deno serve` does not keep.
 *
 * @param address Where it listens; undefined on a Unix socket
 * @throws {Error} With the flag to use instead
 */
export function refuseIgnored(parameters: WebServerParameters, address: ListenAddress | undefined): void {
  const { secure, port, localaddress } = parameters;
  if (secure) {
    throw new Error(
      'Cannot keep parameter "secure": `deno serve` serves plain HTTP. Leave it out and put a proxy in front, or call ' +
        "server.start() and run the program by `deno run`",
    );
  }
  if (port !== defaults.port && port !== address?.port) {
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

/** Calls `stop` at the first signal at which `deno serve` ends. A second one has its default effect. */
export function onStopSignal(stop: () => void): void {
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT", "SIGBREAK"] : ["SIGINT", "SIGTERM"];
  // A listener of a signal does not keep the process, and Deno's own may be called first, and leave nothing that does (S3).
  const keep = setInterval(() => {}, 2 ** 30);
  const heed = () => {
    clearInterval(keep);
    for (const signal of signals) Deno.removeSignalListener(signal, heed);
    stop();
  };
  for (const signal of signals) Deno.addSignalListener(signal, heed);
}

/** Ends the process if it does not end by itself in `shutdownTimeout`: a client that reads nothing would keep it for ever (W4). */
export function endProcess({ shutdownTimeout }: WebServerParameters): void {
  // Without a reference, it is no reason for the process to go on.
  Deno.unrefTimer(setTimeout(() => Deno.exit(0), shutdownTimeout * 1000));
}
