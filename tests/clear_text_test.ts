/** The warning that a password has come over a network without TLS. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Callbacks, WebServer } from "../mod.ts";
import { printed, running } from "./helpers.ts";

const TOKEN = "Basic b3BlcmF0b3I6c3RhZ2U=";

const guarded: Callbacks = {
  onHTTPRequest(webServer, request, response) {
    response.statusCode = webServer.authenticateBasic(request["Authorization"], { operator: "stage" }) ? 200 : 401;
    return response;
  },
};

/** A request as it comes from a client that is on no loopback, which tests do not listen for. */
async function ask(server: WebServer, hostname: string, authorization?: string): Promise<number> {
  const request = new Request("http://panel/", authorization === undefined ? {} : { headers: { authorization } });
  const info = { remoteAddr: { transport: "tcp", hostname, port: 5000 }, completed: Promise.resolve() } as const;
  const answer = await server.fetch(request, info);
  await answer.body?.cancel();
  return answer.status;
}

Deno.test("the first unencrypted login from another machine warns once; refused logins and those from this machine do not", async () => {
  await using subject = await running(guarded);
  const lines = await printed("warn", async () => {
    assertEquals(await ask(subject.server, "127.0.0.1", TOKEN), 200);
    assertEquals(await ask(subject.server, "::1", TOKEN), 200);
    assertEquals(await ask(subject.server, "192.168.0.7"), 401);
    assertEquals(await ask(subject.server, "192.168.0.7", "Basic b3BlcmF0b3I6d3Jvbmc="), 401);
    assertEquals(subject.server.info().warnings, 0);
    assertEquals(await ask(subject.server, "::ffff:192.168.0.7", TOKEN), 200);
    assertEquals(await ask(subject.server, "192.168.0.8", TOKEN), 200);
  });
  assertEquals([lines.length, subject.server.info().warnings], [1, 1]);
  assertStringIncludes(String(lines[0]), 'in the clear, where others can read it: set parameter "secure"');
});

Deno.test("a login through a trusted proxy does not warn, since TLS ends there", async () => {
  await using subject = await running(guarded, { trustedProxies: ["192.168.0.2"] });
  assertEquals(await ask(subject.server, "192.168.0.2", TOKEN), 200);
  assertEquals(subject.server.info().warnings, 0);
});
