/** Code that should compile without casts, and code that should not compile. The compiler checks it, so these tests cannot fail while running. */

import { assertEquals } from "@std/assert";
import { type Callbacks, type UserPasswords, WebServer } from "../mod.ts";
import { running } from "./helpers.ts";

Deno.test("the dictionaries are read and written without casts", async () => {
  const callbacks: Callbacks = {
    onHTTPRequest(webServer, request, response) {
      const uri: string = request.uri;
      const agent: string | undefined = request["User-Agent"];
      const level: string = request.pars["level"] ?? "0";
      const bytes: Uint8Array<ArrayBuffer> = request.data;
      const known: boolean = webServer.authenticateBasic(request["Authorization"], { user: "password" });
      response["X-Seen"] = `${uri} ${level} ${bytes.length} ${known} ${agent !== undefined}`;
      response["Set-Cookie"] = ["a=1", "b=2"];
      response.headers = { "X-Count": 1 };
      response.statusCode = 200;
      // @ts-expect-error: a status is a number
      response.statusReason = 200;
      // @ts-expect-error: the request is read-only
      const write = () => request["X-A"] = "1";
      // @ts-expect-error: no header is an object
      const nonsense = () => response["X-A"] = { a: 1n };
      // @ts-expect-error: the status is statusCode
      const status = () => response.status = 200;
      // @ts-expect-error: the status is statusCode
      const lower = () => response.statuscode = 200;
      // @ts-expect-error: the body is data
      const body = () => response.body = "";
      assertEquals([write, nonsense, status, lower, body].map((use) => typeof use), Array(5).fill("function"));
      return response;
    },
  };
  await using subject = await running(callbacks);
  const answer = await fetch(`${subject.url}p?level=3`);
  await answer.body?.cancel();
  assertEquals(answer.headers.get("x-seen"), "/p 3 0 false true");
});

Deno.test("a server has the type that deno serve wants, and users may be a Map", () => {
  const server: Deno.ServeDefaultExport = new WebServer();
  const users: UserPasswords = new Map([["user", "password"]]);
  assertEquals([typeof server.fetch, users.size], ["function", 1]);
});
