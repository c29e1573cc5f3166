/** The example that guards a page and its WebSocket: with curl, npm ws, raw handshakes and Chromium. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { WebSocket } from "npm:ws@8.23.0";
import { looksRight, pageTest } from "./browser.ts";
import { example } from "../support/example.ts";

const FILE = "examples/guard.ts";

/** Where a program is, or undefined. */
function find(program: string): string | undefined {
  for (const folder of Deno.env.get("PATH")?.split(":") ?? []) {
    try {
      if (Deno.statSync(`${folder}/${program}`).isFile) return `${folder}/${program}`;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** The options of a test that needs a program. */
function needs(program: string, name: string): { name: string; ignore: boolean } {
  const ignore = find(program) === undefined;
  return { name: ignore ? `${name} (skipped: needs ${program})` : name, ignore };
}

/** Status, challenge and body, by curl. */
async function curl(...args: string[]): Promise<{ status: number; challenge: string; body: string }> {
  const format = "\n%header{www-authenticate}\n%{http_code}";
  const { stdout } = await new Deno.Command("curl", { args: ["--silent", "--write-out", format, ...args] }).output();
  const lines = new TextDecoder().decode(stdout).split("\n");
  const [challenge, status] = lines.splice(-2);
  return { status: Number(status), challenge: challenge!, body: lines.join("\n") };
}

/** The first message that a WebSocket gets, or the status that it is refused with. */
function handshake(url: string, auth?: string): Promise<string | number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace("http", "ws"), auth === undefined ? {} : { auth });
    let result: string | number;
    socket.on("message", (data: Buffer) => {
      result = data.toString();
      socket.close();
    });
    socket.on("close", () => resolve(result));
    socket.on("unexpected-response", (_request: unknown, response: IncomingMessage) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode!));
    });
    socket.on("error", reject);
  });
}

Deno.test(needs("curl", "guard.ts gives its page to curl -u with the right password alone"), async () => {
  await using guard = await example(FILE);
  const right = await curl("-u", "operator:stage left", guard.url);
  assertEquals(right.status, 200);
  assert(right.body.includes("<h1>The panel</h1>"), right.body);
  for (const args of [[], ["-u", "operator:stage right"], ["-u", "operator:"], ["-u", "nobody:stage left"]]) {
    const refused = await curl(...args, guard.url);
    assertEquals(refused, { status: 401, challenge: 'Basic realm="panel", charset="UTF-8"', body: "" }, String(args));
  }
});

Deno.test("guard.ts opens a WebSocket with the right password alone", async () => {
  await using guard = await example(FILE);
  assertEquals(await handshake(guard.url), 401);
  assertEquals(await handshake(guard.url, "operator:stage right"), 401);
  assertMatch(String(await handshake(guard.url, "operator:stage left")), /^connected as 127\.0\.0\.1:\d+$/);
});

Deno.test("guard.ts answers 503 where too many guess, and lets those who are in stay in", async () => {
  await using guard = await example(FILE);
  const ask = async (credentials: string) => {
    const answer = await fetch(guard.url, { headers: { authorization: `Basic ${btoa(credentials)}` } });
    await answer.body?.cancel();
    return answer.status;
  };
  assertEquals(await ask("operator:stage left"), 200);
  const abandon = new AbortController();
  const guesses = Array.from({ length: 64 }, async (_, index) => {
    const answer = await fetch(guard.url, {
      headers: { authorization: `Basic ${btoa(`operator:guess ${index}`)}` },
      signal: abandon.signal,
    });
    await answer.body?.cancel();
    return answer;
  });
  // Each is refused, or still waits; the first to be too many says that the queue is full.
  const busy = await Promise.any(guesses.map(async (guess) => {
    const answer = await guess;
    if (answer.status !== 503) throw new Error(`A guess was answered ${answer.status}`);
    return answer;
  }));
  assertEquals(busy.headers.get("retry-after"), "5");
  assertEquals(await ask("operator:stage left"), 200);
  abandon.abort();
  await Promise.allSettled(guesses);
});

pageTest("guard.ts shows its page in Chromium, whose WebSocket sends the password by itself", async (chromium) => {
  await using guard = await example(FILE);
  await assertRejects(() => chromium.visit(guard.url), Error, "ERR_INVALID_AUTH_CREDENTIALS");
  const options = { httpCredentials: { username: "operator", password: "stage left" } };
  await looksRight(chromium, guard.url, "text=connected as 127.0.0.1:", options);
});
