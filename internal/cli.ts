/** The command line. */

import { parseArgs } from "node:util";
import { WebServer } from "../server.ts";
import { isWildcard } from "./address.ts";
import type { WebServerParameters } from "./parameters.ts";

const HELP = `The Web Server DAT for Deno: an HTTP and WebSocket server on one port.

  deno run --allow-net mod.ts                             listen on port 9980, on all interfaces
  deno run --allow-net mod.ts --port 8080
  deno run --allow-net mod.ts --localaddress 127.0.0.1    this machine only

  --port NUMBER            0 to 65535; 0 takes any free port
  --localaddress ADDRESS   the address to listen on
  --name NAME              the operator's name
  --help                   this page
`;

/** Exit codes: 1 where the server could not start, 2 where the command line is wrong. */
const COULD_NOT_START = 1;
const USAGE = 2;

type Flags = Partial<Pick<WebServerParameters, "port" | "localaddress" | "name">>;

/** The parameters that the flags set, or undefined where they ask for help. */
function parse(args: string[]): Flags | undefined {
  const { values } = parseArgs({
    args,
    options: {
      port: { type: "string" },
      localaddress: { type: "string" },
      name: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return undefined;
  const { port, localaddress, name } = values;
  return {
    // Only digits: Number() would take "" and "0x1f" too.
    ...(port !== undefined && { port: /^\d+$/.test(port) ? Number(port) : NaN }),
    ...(localaddress !== undefined && { localaddress }),
    ...(name !== undefined && { name }),
  };
}

/** Stops the server at the first of these signals; a second one has its default effect, which ends the process at once. */
function stopOnSignal(server: WebServer): void {
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT", "SIGBREAK"] : ["SIGINT", "SIGTERM"];
  const stop = () => {
    for (const signal of signals) Deno.removeSignalListener(signal, stop);
    server.stop();
  };
  for (const signal of signals) Deno.addSignalListener(signal, stop);
}

/** Runs the program; sets the exit code. */
export async function main(args: string[]): Promise<void> {
  let server: WebServer;
  try {
    const flags = parse(args);
    if (flags === undefined) {
      console.log(HELP);
      return;
    }
    server = new WebServer(flags);
  } catch (error) {
    console.error(`${(error as Error).message}. --help shows what there is`);
    Deno.exitCode = USAGE;
    return;
  }
  // What the runtime itself leaves unhandled (a WebSocket message over 512 MiB does) ends no show.
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    console.error(`${server.name}: unhandled rejection`, event.reason);
  });
  try {
    await server.start();
  } catch {
    // The server has said why.
    Deno.exitCode = COULD_NOT_START;
    return;
  }
  stopOnSignal(server);
  const { hostname, port, url } = server.address!;
  console.log(`${server.name} listens on ${url} (${isWildcard(hostname) ? `all interfaces, port ${port}` : hostname})`);
}
