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
  /** Closes it and all of its connections, including those with answers under way. */
  close(): Promise<void>;
}

/** The options of a listener. */
export interface ListenOptions {
  readonly localaddress: string;
  readonly port: number;
  /** For TLS. */
  readonly certificate?: { readonly cert: string; readonly key: string } | undefined;
  handler(request: Request, info: Deno.ServeHandlerInfo): Response | Promise<Response>;
  /** Makes the answer if the handler fails. */
  onError(error: unknown): Response;
  /** Called when the listener has stopped unexpectedly and is being reopened. */
  onEnd(error: Error): void;
}

/** An address with its URL. For a wildcard address the URL has `localhost`, which can be clicked. */
export function listenAddress(hostname: string, port: number, scheme = "http"): ListenAddress {
  const host = isWildcard(hostname) ? `localhost:${port}` : formatAddress(hostname, port);
  return { hostname, port, url: `${scheme}://${host}/` };
}

/**
 * The addresses to try for a `localaddress`, in order. On Windows, `Deno.serve` on `::` accepts no IPv4 clients, and
 * elsewhere a machine may have no IPv6.
 */
function hostnames(localaddress: string): string[] {
  if (localaddress !== "") return [localaddress];
  return Deno.build.os === "windows" ? ["0.0.0.0"] : ["::", "0.0.0.0"];
}

/** Milliseconds to wait before listening again, at first and at most. */
const RETRY = 50;
const MAX_RETRY = 1_000;

/** One `Deno.serve`. */
interface Accepting {
  readonly server: Deno.HttpServer<Deno.NetAddr>;
  readonly abort: AbortController;
}

/** Calls `Deno.serve`, and leaves its errors as they are. */
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
 * Listens until it is closed. If `Deno.serve` can accept no more connections, for lack of file descriptors, it listens again as soon as
 * it can, and existing connections stay open.
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
      options.onEnd(new Error(`The listener stopped unexpectedly; reopening it: ${error.message}`));
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
    `Cannot listen on ${where}: "${hostname}" is not an address of this machine (${detail}). Set parameter "localaddress" ` +
      `to one that is, or to "" for all interfaces`,
  );
}
