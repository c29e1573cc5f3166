/** A `Deno.serve` on one address, with errors that name the parameter to change. */

import { type Address, formatAddress, isWildcard } from "./address.ts";

/** Where a server listens. */
export interface ListenAddress extends Address {
  /** The address for a browser on this machine: `http://localhost:9980/`. */
  readonly url: string;
}

/** An open listener. */
export interface Listener {
  readonly address: ListenAddress;
  /** Resolves when the runtime has stopped accepting, rejects when it could not go on. */
  readonly finished: Promise<void>;
  /** Closes it and every connection it has, answers under way included. */
  close(): Promise<void>;
}

/** `localhost` leads to a wildcard address, and can be clicked. */
export function listenAddress(hostname: string, port: number, scheme = "http"): ListenAddress {
  const host = isWildcard(hostname) ? `localhost:${port}` : formatAddress(hostname, port);
  return { hostname, port, url: `${scheme}://${host}/` };
}

/**
 * What to listen on for a `localaddress`, in the order to try. On Windows the runtime's `::` takes no IPv4 clients, and
 * elsewhere a machine may have no IPv6.
 */
function hostnames(localaddress: string): string[] {
  if (localaddress !== "") return [localaddress];
  return Deno.build.os === "windows" ? ["0.0.0.0"] : ["::", "0.0.0.0"];
}

/**
 * Listens.
 *
 * @throws {Deno.errors.AddrInUse | Deno.errors.AddrNotAvailable | Deno.errors.PermissionDenied | Deno.errors.NotCapable | Error}
 * With one sentence that says which parameter to change
 */
export function listen(
  { localaddress, port }: { localaddress: string; port: number },
  handler: Deno.ServeHandler,
  onError: (error: unknown) => Response,
): Listener {
  const abort = new AbortController();
  const options = { port, signal: abort.signal, onListen: () => {}, onError };
  const candidates = hostnames(localaddress);
  for (const hostname of candidates) {
    try {
      const server = Deno.serve({ ...options, hostname }, handler);
      return {
        address: listenAddress(server.addr.hostname, server.addr.port),
        finished: server.finished,
        async close() {
          abort.abort();
          await server.finished.catch(() => {});
        },
      };
    } catch (error) {
      const noIPv6 = hostname !== candidates.at(-1) &&
        !(error instanceof Deno.errors.AddrInUse || error instanceof Deno.errors.PermissionDenied ||
          error instanceof Deno.errors.NotCapable);
      if (!noIPv6) throw explained(error, hostname, port);
    }
  }
  throw new Error("Cannot listen: no address to try");
}

function explained(error: unknown, hostname: string, port: number): unknown {
  const where = formatAddress(hostname, port);
  if (error instanceof Deno.errors.AddrInUse) {
    return new Deno.errors.AddrInUse(
      `Cannot listen on port ${port}: another program uses it. Stop that program, or set parameter "port" ` +
        `(--port on the command line) to a free one, such as ${port === 65535 ? port - 1 : port + 1}`,
    );
  }
  if (error instanceof Deno.errors.NotCapable) {
    return new Deno.errors.NotCapable(
      `Cannot listen on ${where}: run Deno with --allow-net, or with --allow-net=${where}`,
    );
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return new Deno.errors.PermissionDenied(
      `Cannot listen on port ${port}: the system reserves it. Set parameter "port" (--port on the command line) to 1024 or above`,
    );
  }
  const detail = error instanceof Error ? error.message : String(error);
  return new Deno.errors.AddrNotAvailable(
    `Cannot listen on ${where}: "${hostname}" is no address of this machine (${detail}). Set parameter "localaddress" to ` +
      `one, or to "" for all interfaces`,
  );
}
