/** A `Deno.serve` on one address, with errors that name the parameter to change. */

import { type Address, canonicalIP, formatAddress, isLoopback, isWildcard } from "./address.ts";
import { runDenoWith, shellWord } from "./shell.ts";
import { type Accepting, keepAccepting, wildcards } from "./deno.ts";

/** Where a server listens. */
export interface ListenAddress extends Address {
  /** The address for a browser on this machine: `http://localhost:9980/`. */
  readonly url: string;
}

/** An open listener. */
export interface Listener {
  readonly address: ListenAddress;
  /** Whether the environment variable `DENO_SERVE_ADDRESS` has moved it to another address. */
  readonly isMoved: boolean;
  /** Closes it and all of its connections, including those with answers under way. */
  close(): Promise<void>;
}

/** The options of a listener. */
export interface ListenOptions {
  readonly localaddress: string;
  readonly port: number;
  /** For TLS. */
  readonly certificate?: { readonly cert: string; readonly key: string } | undefined;
  /** Whether answers are compressed. */
  readonly compression: boolean;
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

/** Calls `Deno.serve`, and leaves its errors as they are. */
function accept(options: ListenOptions, hostname: string, port: number): Accepting {
  const abort = new AbortController();
  const { certificate, compression, handler, onError } = options;
  const settings = {
    port,
    hostname,
    signal: abort.signal,
    automaticCompression: compression,
    onListen: () => {},
    onError,
  };
  const server = certificate
    ? Deno.serve({ ...settings, cert: certificate.cert, key: certificate.key }, handler)
    : Deno.serve(settings, handler);
  return { server, abort };
}

function acceptFirst(options: ListenOptions): Accepting {
  const candidates = options.localaddress === "" ? wildcards() : [options.localaddress];
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

/** Whether a listener has another address than was asked for. Deno does not say so, but only `DENO_SERVE_ADDRESS` can do it (S4). */
function isElsewhere(options: ListenOptions, { hostname, port }: Deno.NetAddr): boolean {
  if (options.port !== 0 && options.port !== port) return true;
  const { localaddress } = options;
  if (localaddress === "") return !isWildcard(hostname);
  if (localaddress === "localhost") return !isLoopback(hostname);
  const asked = canonicalIP(localaddress);
  return asked === undefined ? isWildcard(hostname) : asked !== canonicalIP(hostname);
}

/** Whether a listener may be on another address: not if that would let in others than `localaddress` does. */
function mayMove({ localaddress }: ListenOptions, hostname: string | undefined): boolean {
  if (hostname === undefined) return false;
  if (localaddress === "" || (localaddress === "localhost" && isLoopback(hostname))) return true;
  const asked = canonicalIP(localaddress);
  return asked !== undefined && asked === canonicalIP(hostname);
}

/**
 * Listens until it is closed, even if `Deno.serve` ends for lack of file descriptors (L2).
 *
 * @throws {Deno.errors.AddrInUse | Deno.errors.AddrNotAvailable | Deno.errors.PermissionDenied | Deno.errors.NotCapable | Error}
 * With one sentence that says which parameter to change
 */
export function listen(options: ListenOptions): Listener {
  const first = acceptFirst(options);
  const { hostname, port } = first.server.addr;
  const isMoved = hostname === undefined || isElsewhere(options, first.server.addr);
  if (isMoved && !mayMove(options, hostname)) {
    first.abort.abort();
    throw new Error(
      `Cannot listen: the environment variable DENO_SERVE_ADDRESS moves the first server of a program, which is this one, to ${
        hostname === undefined ? "a socket without an address" : formatAddress(hostname, port)
      }. Unset it` +
        (hostname === undefined ? ', or use "tcp:" and an address' : `, or set parameter "localaddress" to ""`),
    );
  }
  const ended = ({ message }: Error) =>
    options.onEnd(new Error(`The listener stopped unexpectedly; reopening it: ${message}`));
  return {
    address: listenAddress(hostname, port, options.certificate ? "https" : "http"),
    isMoved,
    close: keepAccepting(first, () => accept(options, hostname, port), ended),
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
    `Cannot listen on ${where}: "${hostname}" is not an address of this machine (${detail}). Set parameter "localaddress" ` +
      `to one that is, or to "" for all interfaces`,
  );
}
