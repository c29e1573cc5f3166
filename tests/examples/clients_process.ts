/**
 * Many WebSockets in a separate process: `clients_process.ts URL COUNT`. It reads commands and prints answers, as lines of JSON.
 * A message is known as `text hello` or `binary 00ff`.
 *
 * - It says `{ open: { GROUP: clients } }` when all are open. The group is where a client has landed: the header
 *   `x-server` of the handshake's answer, or a first message `worker ID`.
 * - `{ client, text }` or `{ client, bytes }` sends by that client. Once every client has a message, it says `{ all: message }`.
 * - `{ load: [clients], every: milliseconds }` sends `NUMBER of CLIENT` by those clients, in text and binary by turns, until
 *   `{ halt: true }` ends it, which says `{ sent: [messages] }`.
 * - `{ report: true }` says `{ received: { GROUP: { MESSAGE: [least, most] } } }`: how many times a client of the group has it.
 */

import { WebSocket } from "npm:ws@8.23.0";
import { linesOf } from "../support/program.ts";

const [url, count] = [Deno.args[0]!, Number(Deno.args[1])];

interface Client {
  readonly socket: WebSocket;
  group: string;
  readonly received: Map<string, number>;
}

/** How many clients have a message. */
const reached = new Map<string, number>();

function say(answer: unknown): void {
  console.log(JSON.stringify(answer));
}

function receive(client: Client, message: string): void {
  const times = (client.received.get(message) ?? 0) + 1;
  client.received.set(message, times);
  if (times > 1) return;
  reached.set(message, (reached.get(message) ?? 0) + 1);
  if (reached.get(message) === count) say({ all: message });
}

function open(): Promise<Client> {
  const { promise, resolve, reject } = Promise.withResolvers<Client>();
  const socket = new WebSocket(url, { perMessageDeflate: false });
  const client: Client = { socket, group: "", received: new Map() };
  socket.on("upgrade", ({ headers }) => {
    client.group = String(headers["x-server"] ?? "");
    if (client.group) resolve(client);
  });
  socket.on("message", (data, isBinary) => {
    const text = data.toString();
    if (client.group === "" && text.startsWith("worker ")) {
      client.group = text;
      resolve(client);
    } else {
      receive(client, isBinary ? `binary ${data.toString("hex")}` : `text ${text}`);
    }
  });
  socket.on("error", reject);
  socket.on("close", (code) => say({ closed: code }));
  return promise;
}

/** A few at a time: the backlog of a listener is short. */
const clients: Client[] = [];
while (clients.length < count) {
  clients.push(...await Promise.all(Array.from({ length: Math.min(50, count - clients.length) }, open)));
}
say({
  open: Object.fromEntries(Map.groupBy(clients, ({ group }) => group).entries().map(([g, { length }]) => [g, length])),
});

function report(): Record<string, Record<string, [number, number]>> {
  const groups: Record<string, Record<string, [number, number]>> = {};
  for (const { group, received } of clients) {
    const counts = groups[group] ??= {};
    for (const message of reached.keys()) {
      const times = received.get(message) ?? 0;
      const [least, most] = counts[message] ?? [times, times];
      counts[message] = [Math.min(least, times), Math.max(most, times)];
    }
  }
  return groups;
}

let sent: string[] = [];
let load: ReturnType<typeof setInterval> | undefined;
let number = 0;

function sendLoad(client: number): void {
  const text = `${++number} of ${client}`;
  const bytes = new TextEncoder().encode(text);
  clients[client]!.socket.send(number % 2 ? text : bytes);
  sent.push(number % 2 ? `text ${text}` : `binary ${bytes.toHex()}`);
}

for await (const line of linesOf(Deno.stdin.readable)) {
  const command = JSON.parse(line);
  if (command.report) say({ received: report() });
  else if (command.load) load = setInterval(() => command.load.forEach(sendLoad), command.every);
  else if (command.halt) {
    clearInterval(load);
    say({ sent });
    sent = [];
  } else clients[command.client]!.socket.send(command.text ?? new Uint8Array(command.bytes));
}
Deno.exit();
