/** Ports for programs that cannot take any free one and say which. */

/** The ports to choose from. Systems give none of these to a connection, which could then have it before the program. */
const FIRST = 20_000;
const COUNT = 12_000;

/** Listens on a port that was free. */
function listen(): Deno.TcpListener {
  for (;;) {
    try {
      return Deno.listen({ hostname: "127.0.0.1", port: FIRST + Math.floor(Math.random() * COUNT) });
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** Different ports of loopback on which nothing listens. */
export function freePorts(count: number): number[] {
  const listeners = Array.from({ length: count }, listen);
  return listeners.map((listener) => {
    listener.close();
    return listener.addr.port;
  });
}

/** A port of loopback on which nothing listens. */
export function freePort(): number {
  return freePorts(1)[0]!;
}
