/**
 * The server of the soak: `server.ts CALLBACKS`. Prints its port, and obeys the lines of its input, each answered by a line of
 * JSON: `collect` (garbage), `restart`, and `end`, which stops it and answers with what was written down.
 */

import { WebServer } from "../../mod.ts";
import { linesOf } from "../../tests/support/program.ts";
import { Ledger } from "./ledger.ts";

const ledger = new Ledger();
// Values that the callbacks create themselves are kept for ever by each load of them.
Object.assign(globalThis, { ledger, download: new Uint8Array(1 << 20).fill(0x78) });

const server = new WebServer({
  port: 0,
  localaddress: "127.0.0.1",
  callbacks: Deno.args[0]!,
  watch: true,
  maxMessageSize: 1 << 20,
  maxBodySize: 4 << 20,
  // Short, so that hanging clients are dropped many times in ten minutes.
  idleTimeout: 4,
  requestTimeout: 5,
  shutdownTimeout: 2,
});

const orders: Record<string, () => unknown> = {
  collect: () => (globalThis as { gc?(): void }).gc?.(),
  restart: () => server.restart(),
  async end() {
    await server.stop();
    ledger.conclude();
    return ledger;
  },
};

await server.start();
console.log(server.address!.port);
for await (const line of linesOf(Deno.stdin.readable)) console.log(JSON.stringify(await orders[line]!() ?? null));
Deno.exit();
