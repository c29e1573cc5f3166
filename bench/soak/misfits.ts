/**
 * Clients that misbehave: `misfits.ts PORT`. They hang, lie and leave until a line comes in, which is answered by how many there
 * were. Only their effect on others counts, not what happens to them.
 *
 * None resets its connection during the handshake: Deno leaks a file descriptor for each that does (L1 in docs/deno.md).
 */

import { frame } from "../../tests/support/frame.ts";
import { handshake, handshakeRequest } from "../../tests/support/handshake.ts";
import { linesOf } from "../../tests/support/program.ts";
import { writeAll } from "./http_client.ts";

const port = Number(Deno.args[0]);
let ending = false;
let count = 0;

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const bytes = (text: string) => new TextEncoder().encode(text);

const HANDSHAKE = handshakeRequest();

/** Sends a handshake, and waits for its answer. */
async function upgrade(connection: Deno.Conn): Promise<void> {
  await writeAll(connection, [bytes(HANDSHAKE)]);
  await connection.read(new Uint8Array(1024));
}

/** Reads until the server closes, but not for longer than a while. */
async function readOn(connection: Deno.Conn, milliseconds: number): Promise<void> {
  const buffer = new Uint8Array(65_536);
  const reading = async () => {
    while (await connection.read(buffer) !== null);
  };
  await Promise.race([reading(), pause(milliseconds)]);
}

/** Each is given a connection, and may throw. */
const misfits: ((connection: Deno.Conn) => Promise<unknown>)[] = [
  // Comes and goes.
  async () => {},
  (connection) => writeAll(connection, [bytes(HANDSHAKE)]),
  (connection) => upgrade(connection),
  // Half a head, half a body, half a handshake, half a frame, and silence.
  async (connection) => {
    await writeAll(connection, [bytes("GET / HTTP/1.1\r\nHost: local")]);
    await pause(3000);
  },
  async (connection) => {
    await writeAll(connection, [bytes("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nhalf")]);
    await readOn(connection, 8000);
  },
  async (connection) => {
    await writeAll(connection, [bytes(HANDSHAKE.slice(0, 60))]);
    await pause(1000);
  },
  async (connection) => {
    await upgrade(connection);
    await writeAll(connection, [frame(2, new Uint8Array(100_000)).subarray(0, 50_000)]);
    await pause(1000);
  },
  // Answers no ping, and no close.
  async (connection) => {
    await upgrade(connection);
    await pause(8000);
  },
  // Asks for much, and does not read: then it leaves, by a reset, since there is something to read.
  async (connection) => {
    await upgrade(connection);
    const message = frame(2, new Uint8Array(500_000));
    await Promise.race([writeAll(connection, [message, message, message, message]), pause(2000)]);
    await pause(2000);
  },
  async (connection) => {
    await writeAll(connection, [bytes("GET /download HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(5))]);
    await pause(1000);
  },
  // Says more, or something else, than may be.
  async (connection) => {
    await writeAll(connection, [bytes("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000000\r\n\r\n")]);
    await writeAll(connection, [new Uint8Array(1 << 20)]);
    await readOn(connection, 1000);
  },
  async (connection) => {
    await upgrade(connection);
    await writeAll(connection, [frame(2, new Uint8Array(2 << 20))]);
    await readOn(connection, 3000);
  },
  async (connection) => {
    await upgrade(connection);
    await writeAll(connection, [frame(1, new Uint8Array([0xff, 0xfe]))]);
    await readOn(connection, 3000);
  },
  async (connection) => {
    await upgrade(connection);
    await writeAll(connection, [frame(3, bytes("an opcode that is none"))]);
    await readOn(connection, 3000);
  },
  async (connection) => {
    await upgrade(connection);
    await writeAll(connection, [frame(8, new Uint8Array([0, 5]))]);
    await readOn(connection, 3000);
  },
  async (connection) => {
    await writeAll(connection, [bytes(handshakeRequest("/", handshake("Sec-WebSocket-Version", "12")))]);
    await readOn(connection, 200);
  },
  async (connection) => {
    await writeAll(connection, [bytes("GET / HTTP/1.1\r\nHost: x/admin?\r\nConnection: close\r\n\r\n")]);
    await readOn(connection, 200);
  },
  async (connection) => {
    await writeAll(connection, [crypto.getRandomValues(new Uint8Array(1000))]);
    await readOn(connection, 200);
  },
];

async function misbehave(): Promise<void> {
  while (!ending) {
    try {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port });
      count++;
      await misfits[Math.floor(Math.random() * misfits.length)]!(connection);
    } catch {
      // A misfit may fail: only its effect on others counts.
    }
    await pause(Math.random() * 50);
  }
}

const everybody = Array.from({ length: 24 }, misbehave);
console.log("ready");
for await (const _line of linesOf(Deno.stdin.readable)) {
  ending = true;
  await Promise.all(everybody);
  console.log(JSON.stringify({ misfits: count }));
}
Deno.exit();
