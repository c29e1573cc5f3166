/**
 * Clients that ask for a download and do not read it: `slow_readers.ts PORT`, in a separate process.
 *
 * Prints `ready`, then answers each line of its input, a number, with the number of clients that it has opened by then. Each of them has
 * had the first bytes of its answer. They leave when the process is ended.
 */

import { linesOf } from "../tests/support/program.ts";
import { connect, receive, send } from "./tcp.ts";

const port = Number(Deno.args[0]);
const request = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
const buffer = new Uint8Array(64);
const clients: number[] = [];

function open(): number {
  // The answer should wait in the server's process, where it is measured.
  const client = connect(port, true);
  send(client, request);
  receive(client, buffer);
  return client;
}

console.log("ready");
for await (const line of linesOf(Deno.stdin.readable)) {
  for (let count = Number(line); count > 0; count--) clients.push(open());
  console.log(clients.length);
}
