/** The warning that a password has come over a network without TLS. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Callbacks, WebServer, WebServerParameters } from "../mod.ts";
import { printed, running } from "./helpers.ts";

const guarded: Callbacks = {
  onHTTPRequest(webServer, request, response) {
    response.statusCode = webServer.authenticateBasic(request["Authorization"], { operator: "stage" }) ? 200 : 401;
    return response;
  },
};

/** Logs in, or tries to. */
async function ask(server: WebServer, password: string): Promise<number> {
  const headers = { authorization: `Basic ${btoa(`operator:${password}`)}` };
  const answer = await fetch(`http://127.0.0.1:${server.address!.port}/`, { headers });
  await answer.body?.cancel();
  return answer.status;
}

/** The warnings of two logins behind one with a wrong password. */
async function warnings(parameters: Partial<WebServerParameters>): Promise<unknown[]> {
  await using subject = await running(guarded, parameters);
  return await printed("warn", async () => {
    assertEquals(await ask(subject.server, "wrong"), 401);
    assertEquals(subject.server.info().warnings, 0);
    assertEquals(await ask(subject.server, "stage"), 200);
    assertEquals(await ask(subject.server, "stage"), 200);
  });
}

Deno.test("the first login on a server that the network can reach without TLS is a warning", async () => {
  const lines = await warnings({ localaddress: "0.0.0.0" });
  assertEquals(lines.length, 1);
  assertStringIncludes(
    String(lines[0]),
    'sent unencrypted, so others on the network can read them: set parameter "secure"',
  );
});

Deno.test("logins on a server for this machine only are no reason to warn", async () => {
  assertEquals(await warnings({ localaddress: "127.0.0.1" }), []);
});

Deno.test("logins by way of a trusted proxy are no reason to warn, since TLS ends there", async () => {
  assertEquals(await warnings({ localaddress: "0.0.0.0", trustedProxies: ["loopback"] }), []);
});
