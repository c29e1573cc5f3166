/**
 * Uploads or downloads of large bodies: `transfer_load.ts PORT CONNECTIONS UPLOAD`, in a separate process. UPLOAD is the size of each
 * upload in bytes, or 0 for downloads. Unlike wrk, it cuts off no transfer at the end of a round.
 *
 * Prints `ready`, then answers each line of its input, a number of seconds, with the number of transfers in that time.
 */

import { linesOf } from "../tests/support/program.ts";
import { closedLoop } from "./closed_loop.ts";
import { connect, receive, send } from "./tcp.ts";

const [port = 0, connections = 0, upload = 0] = Deno.args.map(Number);
const head = upload === 0
  ? "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
  : `POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${upload}\r\n\r\n`;
const request = new Uint8Array(head.length + upload).fill(0x78);
request.set(new TextEncoder().encode(head));

/** Makes one transfer, and returns the length of its answer, which is that of all others. */
function transfer(connection: number): number {
  send(connection, request);
  const buffer = new Uint8Array(1 << 18);
  let start = "";
  let length = Infinity;
  for (let received = 0; received < length;) {
    const count = receive(connection, buffer);
    if (count === 0) throw new Error("The server closed a connection");
    received += count;
    if (length < Infinity) continue;
    start += new TextDecoder("latin1").decode(buffer.subarray(0, count));
    const [whole, size] = /^HTTP\/1\.1 200 [^]*?content-length: (\d+)[^]*?\r\n\r\n/i.exec(start) ?? [];
    if (whole !== undefined) length = whole.length + Number(size);
    else if (start.includes("\r\n\r\n")) throw new Error(`The answer is not the one that is measured: ${start}`);
  }
  return length;
}

const opened = Array.from({ length: connections }, () => connect(port));
const lengths = opened.map(transfer);
const run = closedLoop(opened, { request, answerLength: lengths[0]!, firstByte: "H".charCodeAt(0) });
console.log("ready");
for await (const line of linesOf(Deno.stdin.readable)) console.log(run(Number(line)));
