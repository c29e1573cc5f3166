/** The password and the sessions of examples/guard.ts: with curl, raw handshakes and Chromium. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { rawRequest } from "../helpers.ts";
import { testWith } from "../programs.ts";
import { looksRight, pageTest } from "./browser.ts";
import { example } from "../support/example.ts";
import { Inbox } from "./inbox.ts";

const FILE = "examples/guard.ts";
const BASIC = { authorization: `Basic ${btoa("operator:stage left")}` };

/** Status, challenge and body, by curl. */
async function curl(...args: string[]): Promise<{ status: number; challenge: string; body: string }> {
  const format = "\n%header{www-authenticate}\n%{http_code}";
  const { stdout } = await new Deno.Command("curl", { args: ["--silent", "--write-out", format, ...args] }).output();
  const lines = new TextDecoder().decode(stdout).split("\n");
  const [challenge, status] = lines.splice(-2);
  return { status: Number(status), challenge: challenge!, body: lines.join("\n") };
}

/** The `Set-Cookie` header of the page. */
async function setCookie(url: string, headers: Record<string, string> = BASIC): Promise<string | null> {
  const response = await fetch(url, { headers });
  await response.body?.cancel();
  return response.headers.get("set-cookie");
}

/** The cookie of a new session, as a browser sends it. */
async function newSession(url: string): Promise<string> {
  return (await setCookie(url))!.split(";")[0]!;
}

/** The status of the answer to a handshake. */
async function handshake(port: number, ...headers: string[]): Promise<number> {
  const answer = await rawRequest(port, "GET /live", [
    `Host: 127.0.0.1:${port}`,
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ...headers,
    "Connection: Upgrade",
  ]);
  return Number(answer.split(" ")[1]);
}

testWith(["curl"], "guard.ts sends its page to curl with the right password only", async () => {
  await using guard = await example(FILE);
  const right = await curl("-u", "operator:stage left", guard.url);
  assertEquals(right.status, 200);
  assert(right.body.includes("<h1>Guarded panel</h1>"), right.body);
  for (const args of [[], ["-u", "operator:stage right"], ["-u", "operator:"], ["-u", "nobody:stage left"]]) {
    const refused = await curl(...args, guard.url);
    assertEquals(refused, { status: 401, challenge: 'Basic realm="panel", charset="UTF-8"', body: "" }, String(args));
  }
});

Deno.test("guard.ts sets a cookie that scripts, other sites and later days do not get", async () => {
  await using guard = await example(FILE);
  assertMatch(
    (await setCookie(guard.url))!,
    /^guard=[0-9a-f]{64}; HttpOnly; SameSite=Strict; Path=\/; Max-Age=43200$/,
  );
  assertEquals(await setCookie(guard.url, {}), null);
});

Deno.test("guard.ts does not start another session for a browser that has one", async () => {
  await using guard = await example(FILE);
  const cookie = await newSession(guard.url);
  assertEquals(await setCookie(guard.url, { ...BASIC, cookie }), null);
});

Deno.test("guard.ts opens a WebSocket with the cookie of its page, without the password, as Safari does", async () => {
  await using guard = await example(FILE);
  const cookie = await newSession(guard.url);
  await using inbox = await Inbox.open(`${guard.url}live`, { cookie: `other=1; ${cookie}` });
  assertMatch(String(await inbox.next()), /^You are connected as 127\.0\.0\.1:\d+$/);
});

Deno.test("guard.ts answers 403 to a WebSocket without a valid cookie", async () => {
  await using guard = await example(FILE);
  await newSession(guard.url);
  assertEquals(await handshake(guard.port), 403);
  for (const cookie of ["guard=", "guard=undefined", `guard=${"0".repeat(64)}`, "other=1", "guard"]) {
    assertEquals(await handshake(guard.port, `Cookie: ${cookie}`), 403, cookie);
  }
  assertEquals(await handshake(guard.port, `Authorization: ${BASIC.authorization}`), 403);
});

Deno.test("guard.ts keeps 1,000 sessions, and ends the oldest for a new one", async () => {
  await using guard = await example(FILE);
  const oldest = await newSession(guard.url);
  const second = await newSession(guard.url);
  for (let count = 2; count < 1_001; count++) await newSession(guard.url);
  assertEquals(await handshake(guard.port, `Cookie: ${oldest}`), 403);
  await using _inbox = await Inbox.open(`${guard.url}live`, { cookie: second });
});

Deno.test("guard.ts ends a session after twelve hours", async () => {
  const { server } = await import("../../examples/guard.ts");
  const { now } = Date;
  await server.set({ port: 0, localaddress: "127.0.0.1", active: true });
  try {
    const { url, port } = server.address!;
    const cookie = await newSession(url);
    Date.now = () => now() + 12 * 60 * 60 * 1_000 - 60_000;
    await (await Inbox.open(`${url}live`, { cookie }))[Symbol.asyncDispose]();
    Date.now = () => now() + 12 * 60 * 60 * 1_000;
    assertEquals(await handshake(port, `Cookie: ${cookie}`), 403);
    assertMatch((await setCookie(url, { ...BASIC, cookie }))!, /^guard=/);
  } finally {
    Date.now = now;
    await server.stop();
  }
});

Deno.test("guard.ts answers 503 if too many guess at once, and logged-in users are not affected", async () => {
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
  // Each is refused or still waits. The first one that does not fit into the queue is answered 503.
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

const LOGIN = { httpCredentials: { username: "operator", password: "stage left" } };

pageTest("guard.ts shows its page on a phone and a desktop, light and dark", async (chromium) => {
  await using guard = await example(FILE);
  await assertRejects(() => chromium.visit(guard.url), Error, "ERR_INVALID_AUTH_CREDENTIALS");
  await looksRight(chromium, guard.url, "text=You are connected as 127.0.0.1:", LOGIN);
});

pageTest("guard.ts prints nothing while pages come and go", async (chromium) => {
  await using guard = await example(FILE);
  for (let visits = 0; visits < 3; visits++) {
    const { page } = await chromium.visit(guard.url, LOGIN);
    await page.getByText("You are connected as").waitFor();
    await page.context().close();
  }
  await guard.program.stop();
  assertEquals(guard.program.lines, [`listening ${guard.url}`]);
});
