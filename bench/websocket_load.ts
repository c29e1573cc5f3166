/**
 * WebSocket clients: `websocket_load.ts MODE PORT [CONNECTIONS [SIZE DEPTH]]`, in a separate process.
 *
 * Prints `ready` when its connections are open, then answers each line of its input, a number, with a number; ends when its
 * input does. Messages of up to 125 bytes are text, longer ones binary.
 *
 * - `echo`: for that many seconds, each connection has DEPTH messages of SIZE bytes under way. How many came back?
 * - `broadcast`: for that many seconds, one of the connections sends messages of SIZE bytes, each of which the server should send
 *   to all of them, with DEPTH under way. How many arrived, at all connections together?
 * - `idle`: opens that many more connections. How many are there?
 * - `churn`: opens and closes that many connections, CONNECTIONS at a time. How many were they?
 */

import { BINARY, CLOSE, closePayload, frame, TEXT } from "../tests/support/frame.ts";
import { handshakeRequest } from "../tests/support/handshake.ts";
import { linesOf } from "../tests/support/program.ts";
import { closedLoop } from "./closed_loop.ts";
import { close, connect, Poll, receive, send } from "./tcp.ts";

const [mode, ...numbers] = Deno.args;
const [port = 0, connections = 0, size = 0, depth = 0] = numbers.map(Number);
const opcode = size < 126 ? TEXT : BINARY;
const payload = new Uint8Array(size).fill(0x78);
const message = frame(opcode, payload);
const answer = frame(opcode, payload, { masked: false });

/** Waits for bytes, and checks that they are what is expected. */
function expect(fd: number, expected: Uint8Array): void {
  const buffer = new Uint8Array(expected.length);
  for (let there = 0; there < buffer.length;) {
    const count = receive(fd, buffer.subarray(there));
    if (count === 0) throw new Error("The server closed a connection");
    there += count;
  }
  if (buffer.some((byte, index) => byte !== expected[index])) throw new Error("The server sent something else");
}

/** Opens a connection, up to the end of the handshake. */
function open(): number {
  const fd = connect(port);
  send(fd, new TextEncoder().encode(handshakeRequest()));
  const buffer = new Uint8Array(1024);
  for (let head = ""; !head.endsWith("\r\n\r\n");) {
    const count = receive(fd, buffer);
    head += new TextDecoder().decode(buffer.subarray(0, count));
    if (count === 0 || !head.startsWith("HTTP/1.1 101 ")) throw new Error(`The handshake failed: ${head}`);
  }
  return fd;
}

/** A list of `count` values that `make` returns. */
function many<Value>(count: number, make: () => Value): Value[] {
  return Array.from({ length: count }, make);
}

function echo(): (seconds: number) => number {
  const fds = many(connections, open);
  for (const fd of fds) {
    send(fd, message);
    expect(fd, answer);
  }
  const batch = new Uint8Array(many(depth, () => message).flatMap((bytes) => [...bytes]));
  const run = closedLoop(fds, { request: batch, answerLength: answer.length * depth, firstByte: answer[0]! });
  return (seconds) => run(seconds) * depth;
}

function broadcast(): (seconds: number) => number {
  const fds = many(connections, open);
  send(fds[0]!, message);
  for (const fd of fds) expect(fd, answer);
  const poll = new Poll(fds);
  return (seconds) => {
    const end = performance.now() + seconds * 1000;
    let asked = 0;
    let bytes = 0;
    const ask = () => {
      asked++;
      poll.send(0, message);
    };
    for (let index = 0; index < depth; index++) ask();
    while (bytes < asked * connections * answer.length) {
      poll.wait((_index, count) => bytes += count);
      const done = Math.floor(bytes / (connections * answer.length));
      while (performance.now() < end && asked - done < depth) ask();
    }
    return asked * connections;
  };
}

function idle(): (count: number) => number {
  const fds: number[] = [];
  return (count) => fds.push(...many(count, open));
}

function churn(): (count: number) => number {
  const payload = closePayload(1000);
  return (count) => {
    for (let done = 0; done < count; done += connections) {
      for (const fd of many(connections, open)) {
        send(fd, frame(CLOSE, payload));
        expect(fd, frame(CLOSE, payload, { masked: false }));
        close(fd);
      }
    }
    return count;
  };
}

const run = { echo, broadcast, idle, churn }[mode as "echo"]();
console.log("ready");
for await (const line of linesOf(Deno.stdin.readable)) console.log(run(Number(line)));
Deno.exit();
