/** `examples/parallel.ts` under `deno serve --parallel`, with clients on several workers. */

import { assertEquals, assertMatch } from "@std/assert";
import { Inbox } from "./inbox.ts";
import { deno } from "../support/deno.ts";
import { flagsOf } from "../support/example.ts";
import { freePort } from "../support/free_port.ts";
import type { Program } from "../support/program.ts";
import { Clients } from "./clients.ts";

const FILE = "examples/parallel.ts";
const CLIENTS = 60;

/** Starts the example with some workers on a free port. */
async function serve(workers: number): Promise<{ port: number; program: Program }> {
  const port = freePort();
  const flags = (await flagsOf(FILE)).filter((flag) => !flag.startsWith("--port"));
  const args = [...flags, "--host=127.0.0.1", `--port=${port}`, FILE];
  const program = deno("serve", args, { env: { DENO_JOBS: String(workers) } });
  await program.line(/listens on/);
  return { port, program };
}

interface Spread extends AsyncDisposable {
  readonly port: number;
  readonly program: Program;
  readonly clients: Clients;
  /** The clients of each worker that has some. */
  readonly workers: Record<string, number>;
}

/** Starts the example with three workers, and clients until several workers have some: the system distributes them. */
async function spread(): Promise<Spread> {
  const { port, program } = await serve(3);
  for (;;) {
    const clients = new Clients(`ws://127.0.0.1:${port}/`, CLIENTS);
    const workers = await clients.open();
    if (Object.keys(workers).length > 1) {
      // In this order: if clients vanish first, Deno's idle time-out keeps `deno serve` running for 15 seconds.
      const stop = () => program.stop().then(() => clients.stop());
      return { port, program, clients, workers, [Symbol.asyncDispose]: stop };
    }
    await clients.stop();
  }
}

Deno.test("every client of every worker gets a broadcast once, as text and as binary", async () => {
  await using subject = await spread();
  const { clients, workers } = subject;
  await clients.load([...Array(CLIENTS).keys()], 200);
  await clients.line(/"all":"binary/);
  const sent = await clients.halt();
  for (const message of sent) await clients.all(message);
  const received = await clients.report();
  assertEquals(Object.keys(received).sort(), Object.keys(workers).sort());
  const once = Object.fromEntries(sent.map((message) => [message, [1, 1]]));
  for (const counts of Object.values(received)) assertEquals(counts, once);
});

Deno.test("each worker is active, and info() counts its own clients", async () => {
  await using subject = await spread();
  // Use a new connection for each request, until every worker with clients has answered one.
  const infos: Record<string, Record<string, number>> = {};
  while (!Object.keys(subject.workers).every((worker) => worker in infos)) {
    const answer = await fetch(`http://127.0.0.1:${subject.port}/info`, { headers: { connection: "close" } });
    const { worker, ...info } = await answer.json();
    infos[`worker ${worker}`] = info;
  }
  for (const [worker, clients] of Object.entries(subject.workers)) {
    assertEquals(infos[worker]?.websocket_connections, clients);
    assertEquals(infos[worker]?.server_running, 1);
  }
});

Deno.test("a termination signal ends all workers, and closes their clients with 1001", async () => {
  await using subject = await spread();
  const { program, clients } = subject;
  await program.stop();
  const codes: string[] = [];
  for (let from = 0; codes.length < CLIENTS;) {
    const { 0: line, 1: code } = await clients.line(/^{"closed":(\d+)}/, from);
    from = clients.lines.indexOf(line, from) + 1;
    codes.push(code!);
  }
  assertEquals(codes, Array(CLIENTS).fill("1001"));
});

Deno.test("a message above 64 KiB closes its sender, and nobody gets it", async () => {
  // One worker: with more, `deno serve` may never end once a client has left (Deno 2.9.6).
  const { port, program } = await serve(1);
  await using _program = program;
  await using sender = await Inbox.open(`http://127.0.0.1:${port}/`);
  await using large = await Inbox.open(`http://127.0.0.1:${port}/`);
  for (const inbox of [sender, large]) assertMatch(String(await inbox.next()), /^worker /);
  large.socket.send(new Uint8Array(64 * 1024 + 1));
  // If it got a message, that would be its own message.
  assertEquals((await Promise.race([large.closed, large.next()]) as CloseEvent).code, 1009);
  sender.socket.send("still here");
  assertEquals(await sender.next(), "still here");
});
