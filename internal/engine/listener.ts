/** A `Deno.serve` on one address, with errors that name the parameter to change. */

import { type Address, formatAddress, isWildcard } from "./address.ts";
import { runDenoWith, shellWord } from "./shell.ts";

/** Where a server listens. */
export interface ListenAddress extends Address {
  /** The address for a browser on this machine: `http://localhost:9980/`. */
  readonly url: string;
}

/** An open listener. */
export interface Listener {
  readonly address: ListenAddress;
  /** Closes it and every connection it has, answers under way included. */
  close(): Promise<void>;
}

/** What a listener is made of. */
export interface ListenOptions {
  readonly localaddress: string;
  readonly port: number;
  /** For TLS. */
  readonly certificate?: { readonly cert: string; readonly key: string } | undefined;
  handler(request: Request, info: Deno.ServeHandlerInfo): Response | Promise<Response>;
  /** Answers where the handler could not. */
  onError(error: unknown): Response;
  /** Hears that the listener has ended by itself, and is opened again. */
  onEnd(error: Error): void;
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

/** Milliseconds to wait before listening again, at first and at most. */
const RETRY = 50;
const MAX_RETRY = 1_000;

/** A listener of the runtime. */
interface Accepting {
  readonly server: Deno.HttpServer<Deno.NetAddr>;
  readonly abort: AbortController;
}

/** What the runtime gives, with its own errors. */
function accept(options: ListenOptions, hostname: string, port: number): Accepting {
  const abort = new AbortController();
  const { certificate, handler, onError } = options;
  const settings = { port, hostname, signal: abort.signal, onListen: () => {}, onError };
  const server = certificate
    ? Deno.serve({ ...settings, cert: certificate.cert, key: certificate.key }, handler)
    : Deno.serve(settings, handler);
  return { server, abort };
}

function acceptFirst(options: ListenOptions): Accepting {
  const candidates = hostnames(options.localaddress);
  for (const hostname of candidates) {
    try {
      return accept(options, hostname, options.port);
    } catch (error) {
      const noIPv6 = hostname !== candidates.at(-1) &&
        !(error instanceof Deno.errors.AddrInUse || error instanceof Deno.errors.PermissionDenied ||
          error instanceof Deno.errors.NotCapable || error instanceof Deno.errors.InvalidData);
      if (!noIPv6) throw explained(error, hostname, options.port);
    }
  }
  throw new Error("Cannot listen: no address to try");
}

/**
 * Listens, until it is closed: when the runtime can accept no more, for want of file descriptors, it listens again as soon as it can,
 * and the connections that it has go on.
 *
 * @throws {Deno.errors.AddrInUse | Deno.errors.AddrNotAvailable | Deno.errors.PermissionDenied | Deno.errors.NotCapable | Error}
 * With one sentence that says which parameter to change
 */
export function listen(options: ListenOptions): Listener {
  const all: Accepting[] = [];
  let closed = false;
  let retry: ReturnType<typeof setTimeout> | undefined;
  const add = (accepting: Accepting) => {
    all.push(accepting);
    accepting.server.finished.catch((error) => {
      if (closed) return;
      options.onEnd(new Error(`The listener ended, and is opened again: ${error.message}`));
      again(RETRY);
    });
  };
  const first = acceptFirst(options);
  const { hostname, port } = first.server.addr;
  const again = (wait: number) => {
    retry = setTimeout(() => {
      try {
        add(accept(options, hostname, port));
      } catch {
        again(Math.min(wait * 2, MAX_RETRY));
      }
    }, wait);
  };
  add(first);
  return {
    address: listenAddress(hostname, port, options.certificate ? "https" : "http"),
    async close() {
      closed = true;
      clearTimeout(retry);
      for (const { abort } of all) abort.abort();
      await Promise.allSettled(all.map(({ server }) => server.finished));
    },
  };
}

function explained(error: unknown, hostname: string, port: number): unknown {
  const where = formatAddress(hostname, port);
  if (error instanceof Deno.errors.AddrInUse) {
    return new Deno.errors.AddrInUse(
      `Cannot listen on port ${port}: another program uses it. Stop that program, or set parameter "port" ` +
        `to a free one, such as ${port === 65535 ? port - 1 : port + 1}`,
    );
  }
  if (error instanceof Deno.errors.NotCapable) {
    return new Deno.errors.NotCapable(
      `Cannot listen on ${where}: ${runDenoWith("--allow-net")}, or with ${shellWord(`--allow-net=${where}`)}`,
    );
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return new Deno.errors.PermissionDenied(
      `Cannot listen on port ${port}: the system reserves it. Set parameter "port" to 1024 or above`,
    );
  }
  const detail = error instanceof Error ? error.message : String(error);
  return new Deno.errors.AddrNotAvailable(
    `Cannot listen on ${where}: "${hostname}" is not an address of this machine (${detail}). Set parameter "localaddress" to ` +
      `one, or to "" for all interfaces`,
  );
}
