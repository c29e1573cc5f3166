/** DENO_SERVE_ADDRESS, which moves the first server of a program: never beyond its localaddress, and for good. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { program } from "./program.ts";
import { denoOutput } from "./support/deno.ts";
import { freePort } from "./support/free_port.ts";
import type { Ended } from "./support/program.ts";

/** Runs a program that starts a server, takes some steps, and prints where it listens after each. */
async function moved(address: string, parameters: string, ...steps: string[]): Promise<Ended> {
  const source = `
import { WebServer } from ${JSON.stringify(program)};
const server = new WebServer(${parameters});
for (const step of [() => server.start(), ${steps.map((step) => `() => server.${step}`).join(", ")}]) {
  await step().catch(({ message }) => {
    console.error(message);
    Deno.exit(1);
  });
  if (server.active) console.log(server.address.hostname + " " + server.address.port);
}
await server.stop();`;
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(path, source);
  try {
    return await denoOutput("run", ["--allow-net", path], { env: { DENO_SERVE_ADDRESS: address } });
  } finally {
    await Deno.remove(path);
  }
}

for (const parameters of ["{}", '{ localaddress: "127.0.0.1" }', '{ localaddress: "localhost", port: 0 }']) {
  Deno.test(`DENO_SERVE_ADDRESS moves a server with ${parameters}, and restarts keep it there`, async () => {
    const port = freePort();
    const { stdout, stderr } = await moved(
      `tcp:127.0.0.1:${port}`,
      parameters,
      "restart()",
      "stop()",
      "start()",
      "set({ compression: true })",
    );
    const places = stdout.trim().split("\n");
    assertEquals(places.slice(0, 2), [`127.0.0.1 ${port}`, `127.0.0.1 ${port}`]);
    // Port 0 is any port at each start.
    const again = parameters.includes("port: 0") ? /^127\.0\.0\.1 \d+$/ : new RegExp(`^127\\.0\\.0\\.1 ${port}$`);
    for (const place of places) assertMatch(place, again);
    if (!parameters.includes("port: 0")) {
      assertMatch(stderr, new RegExp(`^webserver1: DENO_SERVE_ADDRESS moves the server to http://127.0.0.1:${port}/`));
    }
  });
}

for (
  const parameters of [
    '{ localaddress: "127.0.0.1" }',
    '{ localaddress: "localhost" }',
    '{ localaddress: "::1", port: 0 }',
  ]
) {
  Deno.test(`DENO_SERVE_ADDRESS does not open a server with ${parameters} to the network`, async () => {
    const port = freePort();
    const { code, stdout, stderr } = await moved(`tcp:0.0.0.0:${port}`, parameters);
    assertEquals([code, stdout], [1, ""]);
    assertStringIncludes(stderr, `to 0.0.0.0:${port}. Unset it, or set parameter "localaddress" to ""`);
  });
}

Deno.test("a server on a wildcard address that DENO_SERVE_ADDRESS limits to this machine stays limited", async () => {
  const port = freePort();
  // The port is the one that is asked for, so only the address differs.
  const { stdout } = await moved(`tcp:127.0.0.1:${port}`, `{ port: ${port} }`, "restart()");
  assertEquals(stdout, `127.0.0.1 ${port}\n127.0.0.1 ${port}\n`);
});
