/**
 * The clients of `scale.ts`, in a separate process, spread over the addresses in its arguments. It does one thing for
 * each line of its input, and says so in a line of JSON when it is done:
 *
 * - `open N`: opens clients until there are N
 * - `load SECONDS`: one client sends, and sends again whenever all have the message, four under way: `{ deliveries, seconds }`
 * - `pace SECONDS`: one client sends ten messages a second: `{ p50, p99 }`, milliseconds from the call of send to each client
 */

import { WebSocket as NodeWebSocket } from "npm:ws@8.23.0";
import { linesOf } from "../tests/support/program.ts";
import { quantile } from "./statistics.ts";

const urls = Deno.args;
/** Of the size of a control message. */
const TEXT = "/mixer/level 0.5".padEnd(64);

let clients = 0;
let received: () => void = () => {};

/** Deno's own client stalls on small messages sent back to back, so the sender is another one. */
const sender = new NodeWebSocket(urls[0]!, { perMessageDeflate: false });
await new Promise((resolve) => sender.once("open", resolve));
sender.on("message", (data) => String(data).length === TEXT.length && received());
clients++;

async function open(count: number): Promise<void> {
  while (clients < count) {
    await Promise.all(Array.from({ length: Math.min(50, count - clients) }, () => {
      const socket = new WebSocket(urls[clients++ % urls.length]!);
      socket.onmessage = ({ data }) => data.length === TEXT.length && received();
      return new Promise((resolve, reject) => {
        socket.onopen = resolve;
        socket.onerror = () => reject(new Error("A client could not be connected"));
      });
    }));
  }
}

function load(seconds: number): Promise<{ deliveries: number; seconds: number }> {
  const { promise, resolve } = Promise.withResolvers<{ deliveries: number; seconds: number }>();
  const started = performance.now();
  let deliveries = 0;
  let underWay = 0;
  const send = () => {
    underWay++;
    sender.send(TEXT);
  };
  received = () => {
    if (++deliveries % clients !== 0) return;
    underWay--;
    const passed = (performance.now() - started) / 1_000;
    if (passed < seconds) send();
    else if (underWay === 0) resolve({ deliveries, seconds: passed });
  };
  for (let message = 0; message < 4; message++) send();
  return promise;
}

async function pace(seconds: number): Promise<{ p50: number; p99: number }> {
  const latencies: number[] = [];
  for (let message = 0; message < seconds * 10; message++) {
    const sent = performance.now();
    const all = Promise.withResolvers<void>();
    let missing = clients;
    received = () => {
      latencies.push(performance.now() - sent);
      if (--missing === 0) all.resolve();
    };
    sender.send(TEXT);
    // The next one does not go out before the last client has this one, so that each is timed against its own start.
    await Promise.all([all.promise, new Promise((resolve) => setTimeout(resolve, 100))]);
  }
  return { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) };
}

const deeds: Record<string, (argument: number) => unknown> = { open, load, pace };
for await (const line of linesOf(Deno.stdin.readable)) {
  const [name, argument] = line.split(" ") as [string, string];
  console.log(JSON.stringify({ did: name, ...(await deeds[name]!(Number(argument)) as object | undefined) }));
}
Deno.exit();
