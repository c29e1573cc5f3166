/** The phones of `touchdesigner.ts`: `URL PHONES RATE SECONDS`, and `one` if all move the same slider. They start at a line of input. */

import { WebSocket } from "npm:ws@8.23.0";

const [url, ...numbers] = Deno.args;
const [phones, rate, seconds] = numbers.map(Number) as [number, number, number];
const one = Deno.args.includes("one");

const sockets = await Promise.all(Array.from({ length: phones }, () => {
  const socket = new WebSocket(url!.replace("http", "ws"), { perMessageDeflate: false });
  return new Promise<WebSocket>((resolve, reject) => {
    socket.on("open", () => resolve(socket));
    socket.on("error", reject);
  });
}));
console.log("open");
await Deno.stdin.read(new Uint8Array(8));

const started = performance.now();
await Promise.all(sockets.map(async (socket, phone) => {
  // Not all at the same moment
  let next = started + phone / phones * 1000 / rate;
  while (next < started + seconds * 1000) {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - performance.now())));
    socket.send(`${one ? 0 : phone} ${performance.timeOrigin + performance.now()}`);
    next += 1000 / rate;
  }
}));
console.log("done");
Deno.exit();
