/**
 * TCP sockets by way of libc (Linux, with glibc), for the load: at a small message, a client on `Deno.connect` takes more of the
 * processor than the server that is measured, which then waits for it, and every server looks alike.
 */

const { symbols: libc } = Deno.dlopen("libc.so.6", {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "u64", "i32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "u64", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
});

// As in the headers of Linux.
const AF_INET = 2;
const SOCK_STREAM = 1;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_MAXSEG = 2;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVTIMEO = 20;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const POLLIN = 1;
const POLLOUT = 4;
const POLLBAD = 8 | 16 | 32;

/** Seconds after which a server that does not answer has failed. */
const TIMEOUT = 10;

/**
 * A connection to a port of this machine.
 *
 * @param isNarrow Whether the system should keep little of what is under way: loopback's large segments let it take a megabyte from the
 * server for a client that does not read
 */
export function connect(port: number, isNarrow = false): number {
  const fd = libc.socket(AF_INET, SOCK_STREAM, 0);
  if (isNarrow) {
    // Both count only before the connection is made.
    libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, new Int32Array([4096]), 4);
    libc.setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, new Int32Array([536]), 4);
  }
  const address = new Uint8Array([AF_INET, 0, port >> 8, port & 255, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  if (fd < 0 || libc.connect(fd, address, address.length) < 0) {
    throw new Error(`Cannot connect to port ${port}: nobody listens, or too many files are open`);
  }
  libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, new Int32Array([1]), 4);
  libc.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, new BigInt64Array([BigInt(TIMEOUT), 0n]), 16);
  return fd;
}

export function close(fd: number): void {
  libc.close(fd);
}

/** Waits for bytes, and returns how many came; 0 at the end of the connection. */
export function receive(fd: number, buffer: Uint8Array<ArrayBuffer>): number {
  const count = libc.recv(fd, buffer, BigInt(buffer.length), 0);
  if (count < 0) throw new Error(`The server reset the connection, or was silent for ${TIMEOUT} seconds`);
  return count;
}

/** Sends all of the bytes. */
export function send(fd: number, bytes: Uint8Array<ArrayBuffer>): void {
  const count = libc.send(fd, bytes, BigInt(bytes.length), MSG_NOSIGNAL);
  if (count < 0) throw new Error("The server reset the connection");
  if (count < bytes.length) send(fd, bytes.subarray(count));
}

/** Connections that are all read, and each written to, as far as they are ready for it. */
export class Poll {
  readonly #fds: readonly number[];
  /** An array of `struct pollfd`: four bytes of file, two of events that are waited for, two of events that are there. */
  readonly #entries: Uint8Array<ArrayBuffer>;
  readonly #events: Uint16Array;
  readonly #unsent: Uint8Array<ArrayBuffer>[];
  readonly #buffer = new Uint8Array(1 << 18);

  constructor(fds: readonly number[]) {
    this.#fds = fds;
    this.#entries = new Uint8Array(8 * fds.length);
    this.#events = new Uint16Array(this.#entries.buffer);
    this.#unsent = fds.map(() => new Uint8Array(0));
    const files = new Int32Array(this.#entries.buffer);
    for (const [index, fd] of fds.entries()) {
      files[2 * index] = fd;
      this.#events[4 * index + 2] = POLLIN;
    }
  }

  /** Sends bytes on the connection of an index: what it does not take now, `wait` sends. */
  send(index: number, bytes: Uint8Array<ArrayBuffer>): void {
    const count = libc.send(this.#fds[index]!, bytes, BigInt(bytes.length), MSG_DONTWAIT | MSG_NOSIGNAL);
    // Below 0 it is full, or broken, which the next poll tells.
    this.#unsent[index] = count === bytes.length ? bytes.subarray(count) : bytes.subarray(Math.max(count, 0));
    this.#events[4 * index + 2] = count === bytes.length ? POLLIN : POLLIN | POLLOUT;
  }

  /** Waits until something arrives, and tells of each connection that got bytes: how many, and the first one. */
  wait(received: (index: number, count: number, firstByte: number) => void): void {
    const ready = libc.poll(this.#entries, BigInt(this.#fds.length), TIMEOUT * 1000);
    if (ready <= 0) throw new Error(`The server was silent for ${TIMEOUT} seconds`);
    for (let index = 0; index < this.#fds.length; index++) {
      const events = this.#events[4 * index + 3]!;
      if (events === 0) continue;
      if (events & POLLOUT) this.send(index, this.#unsent[index]!);
      if (events & POLLIN) {
        const count = libc.recv(this.#fds[index]!, this.#buffer, BigInt(this.#buffer.length), MSG_DONTWAIT);
        if (count <= 0) throw new Error("The server closed a connection");
        received(index, count, this.#buffer[0]!);
      } else if (events & POLLBAD) throw new Error("The server reset a connection");
    }
  }
}
