/** Ports for programs that cannot take any free one and say which. */

/** Different ports of loopback on which nothing listens. */
export function freePorts(count: number): number[] {
  const listeners = Array.from({ length: count }, () => Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  return listeners.map((listener) => {
    listener.close();
    return listener.addr.port;
  });
}

/** A port of loopback on which nothing listens. */
export function freePort(): number {
  return freePorts(1)[0]!;
}
