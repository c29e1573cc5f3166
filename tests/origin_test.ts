/** Which web pages may change something: every kind of `origins`, of page, of name of the server, and of method. */

import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { type ParameterChange, WebServer } from "../mod.ts";
import { tlsTest } from "./certificates.ts";
import { printed, rawRequest, running } from "./helpers.ts";
import { HANDSHAKE } from "./support/handshake.ts";

/** Whether a page of an origin may send a POST to a server that is asked by a name. */
type Row = [origin: string, host: string, admitted: boolean];

const MATRIX: Record<string, { origins: ParameterChange["origins"]; rows: Row[] }> = {
  'origins: "same"': {
    origins: "same",
    rows: [
      ["http://panel.local:9980", "panel.local:9980", true],
      ["http://panel.local:9980", "PANEL.local:9980", true],
      ["http://panel.local", "panel.local", true],
      ["http://panel.local", "panel.local:80", true],
      // A proxy with TLS in front.
      ["https://panel.local", "panel.local", true],
      ["https://panel.local", "panel.local:443", true],
      ["https://panel.local:9980", "panel.local:9980", true],
      ["http://192.168.0.7:9980", "192.168.0.7:9980", true],
      ["http://[fe80::1]:9980", "[fe80::1]:9980", true],
      ["http://[::1]:9980", "[0:0:0:0:0:0:0:1]:9980", true],
      ["http://xn--bhne-0ra.local", "xn--bhne-0ra.local", true],
      // The names of this machine for itself are one site, port by port.
      ["http://localhost:9980", "127.0.0.1:9980", true],
      ["http://127.0.0.1:9980", "localhost:9980", true],
      ["http://localhost:9980", "[::1]:9980", true],
      ["http://[::1]:9980", "127.0.0.1:9980", true],
      ["http://127.0.0.2:9980", "localhost:9980", true],
      ["http://localhost", "127.0.0.1:80", true],
      ["http://localhost:9981", "127.0.0.1:9980", false],
      ["http://localhost:9980", "127.0.0.1", false],
      ["http://localhost.evil.example:9980", "127.0.0.1:9980", false],
      ["http://127.0.0.1.evil.example:9980", "127.0.0.1:9980", false],
      ["http://evil.localhost:9980", "127.0.0.1:9980", false],
      ["http://localhost:9980", "panel.local:9980", false],
      ["http://panel.local:9980", "localhost:9980", false],
      // Apps that show their pages from files; no web page has this origin.
      ["file://", "panel.local:9980", true],
      ["file:///", "panel.local:9980", false],
      ["file://panel.local", "panel.local", false],
      ["null", "panel.local:9980", false],
      ["app://panel", "panel", false],
      ["ws://panel.local", "panel.local", false],
      ["http://panel.local:9981", "panel.local:9980", false],
      ["http://panel.local", "panel.local:9980", false],
      ["http://panel.local:9980", "panel.local", false],
      ["https://panel.local", "panel.local:80", false],
      ["http://panel.local", "panel.local:443", false],
      ["http://evil.example", "panel.local:9980", false],
      ["http://panel.local.evil.example:9980", "panel.local:9980", false],
      ["http://evil-panel.local:9980", "panel.local:9980", false],
      ["http://sub.panel.local:9980", "panel.local:9980", false],
      ["http://panel.local:9980@evil.example", "panel.local:9980", false],
      ["http://evil.example#panel.local:9980", "panel.local:9980", false],
      ["http://evil.example http://panel.local:9980", "panel.local:9980", false],
      ["http://evil.example, http://panel.local:9980", "panel.local:9980", false],
      ["", "panel.local:9980", false],
      [" ", "panel.local:9980", false],
      ["//panel.local:9980", "panel.local:9980", false],
      ["panel.local:9980", "panel.local:9980", false],
      ["http:", "panel.local:9980", false],
      ["http://", "panel.local:9980", false],
      ["javascript:alert(1)", "panel.local:9980", false],
      ["data:text/html,x", "panel.local:9980", false],
      ["http://panel.local", "", false],
    ],
  },
  'origins: "any"': {
    origins: "any",
    rows: [
      ["http://evil.example", "panel.local", true],
      ["null", "panel.local", true],
      ["nonsense", "panel.local", true],
    ],
  },
  "origins: a list without the server's own pages": {
    origins: [
      "http://panel.example:80",
      "https://panel.example:8443",
      "app://panel",
      "null",
      "http://b\xfchne.local",
    ],
    rows: [
      ["http://panel.example", "panel.local", true],
      ["https://panel.example:8443", "panel.local", true],
      ["app://panel", "panel.local", true],
      ["null", "panel.local", true],
      ["http://xn--bhne-0ra.local", "panel.local", true],
      ["https://panel.example", "panel.local", false],
      ["http://panel.example:8443", "panel.local", false],
      ["http://panel.example.evil", "panel.local", false],
      ["app://panel2", "panel.local", false],
      ["http://panel.local", "panel.local", false],
      ["http://localhost", "localhost", false],
      ["file://", "panel.local", false],
    ],
  },
  'origins: a list with "same"': {
    origins: ["same", "http://panel.example", "file://"],
    rows: [
      ["http://panel.local", "panel.local", true],
      ["http://localhost:1", "127.0.0.1:1", true],
      ["http://panel.example", "panel.local", true],
      ["file://", "panel.local", true],
      ["http://evil.example", "panel.local", false],
      ["null", "panel.local", false],
    ],
  },
  "origins: an empty list": {
    origins: [],
    rows: [
      ["http://panel.local", "panel.local", false],
      ["file://", "panel.local", false],
    ],
  },
};

const post = (port: number, origin: string, host: string, method = "POST") =>
  rawRequest(port, `${method} /`, [`Host: ${host}`, `Origin: ${origin}`, "Content-Length: 0"]);
const statusOf = (answer: string) => Number(answer.slice(9, 12));

for (const [what, { origins, rows }] of Object.entries(MATRIX)) {
  Deno.test(`${what}: a page is admitted by its origin and the name of the server, to POST and to a WebSocket`, async () => {
    await using subject = await running({ onHTTPRequest: () => new Response("done") }, { origins: origins! });
    await printed("warn", async () => {
      for (const [origin, host, admitted] of rows) {
        const asked = `${origin} asks ${host}`;
        assertEquals(statusOf(await post(subject.port, origin, host)), admitted ? 200 : 403, asked);
        const headers = HANDSHAKE.map((line) => line.startsWith("Host") ? `Host: ${host}` : line);
        using connection = await Deno.connect({ port: subject.port, hostname: "127.0.0.1" });
        const text = ["GET / HTTP/1.1", ...headers, `Origin: ${origin}`, "", ""].join("\r\n");
        await connection.write(new TextEncoder().encode(text));
        const answer = new Uint8Array(1000);
        await connection.read(answer);
        assertEquals(statusOf(new TextDecoder().decode(answer)), admitted ? 101 : 403, asked);
      }
    });
    // A client that is not a page has no origin.
    assertEquals(statusOf(await rawRequest(subject.port, "POST /", ["Host: x", "Content-Length: 0"])), 200);
    assertEquals(subject.errors, []);
  });
}

tlsTest("a secure server does not admit a page of its own name over http", async (files) => {
  const pair = await files.pair();
  await using subject = await running({ onHTTPRequest: () => new Response("done") }, { secure: true, ...pair });
  using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(pair.certificate)] });
  const host = subject.url.slice("https://".length, -1);
  await printed("warn", async () => {
    for (
      const [origin, status] of [[`https://${host}`, 200], [`http://${host}`, 403], ["file://", 200], ["null", 403]]
    ) {
      const answer = await fetch(subject.url, { method: "POST", headers: { origin: String(origin) }, client });
      await answer.body?.cancel();
      assertEquals(answer.status, status, String(origin));
    }
  });
});

Deno.test("every method but GET, HEAD and OPTIONS is refused to other pages, in any letter case and known or not", async () => {
  const seen: string[] = [];
  await using subject = await running({
    onHTTPRequest: (_webServer, { method }) => (seen.push(method), new Response("")),
  });
  const safe = ["GET", "HEAD", "OPTIONS"];
  const others = [
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "patch",
    "post",
    "get",
    "Head",
    "options",
    "PROPFIND",
    "BREW",
    "QUERY",
    "TRACE",
  ];
  await printed("warn", async () => {
    for (const method of [...safe, ...others]) {
      const refused = statusOf(await post(subject.port, "http://evil.example", "panel.local", method));
      assertEquals(refused, safe.includes(method) ? 200 : 403, method);
      assertEquals(statusOf(await post(subject.port, "http://panel.local", "panel.local", method)), 200, method);
    }
  });
  assertEquals(seen, [...safe.flatMap((method) => [method, method]), ...others]);
});

Deno.test("a refusal tells the page and the user what would admit it, and repeats nothing that is malformed", async () => {
  await using subject = await running({ onHTTPRequest: () => new Response("done") }, {
    origins: ["http://panel.example"],
  });
  const lines = await printed("warn", async () => {
    for (const origin of ["http://evil.example:1", "app://other", "file://"]) {
      assertStringIncludes(
        await post(subject.port, origin, "panel.local"),
        `to allow it, set parameter "origins" to ["http://panel.example","${origin}"]`,
      );
    }
    assertStringIncludes(
      await post(subject.port, "null", "panel.local"),
      "it is a file or a sandboxed frame; let this server serve it",
    );
    for (const origin of ['http://x"y', "http://x/<script>", "HTTP://X", "http://x:80", "http://b\xfchne.local"]) {
      const answer = await post(subject.port, origin, "panel.local");
      assertMatch(
        answer,
        /403 [^]*A web page from a malformed origin is not allowed: only a client that is not a browser sends that\n$/,
        origin,
      );
    }
  });
  assertStringIncludes(
    String(lines[0]),
    '"http://evil.example:1" is refused: to allow it, set parameter "origins" to ["http://panel.example","http://evil.example:1"]',
  );
  // The suggested item does admit it.
  await subject.server.set({ origins: ["http://evil.example:1", "app://other", "null", "file://"] });
  for (const origin of ["http://evil.example:1", "app://other", "null", "file://"]) {
    assertEquals(statusOf(await post(subject.port, origin, "panel.local")), 200, origin);
  }
});

Deno.test("an item of origins that no page could match is refused in one sentence", () => {
  for (
    const item of [
      "",
      "*",
      "any",
      "panel.local",
      "http://x/",
      "http://x/path",
      "http://x?",
      "http://x#",
      "http://user@x",
      "HTTP://x",
      "http://X.local",
      "http://",
      "http:x",
      " http://x",
      "http://x ",
      "http://*.x",
      "file:///",
      "NULL",
    ]
  ) {
    const error = assertThrows(() => new WebServer({ origins: [item] }), RangeError);
    assertStringIncludes(error.message, 'Cannot set parameter "origins"');
  }
  for (
    const item of [
      "same",
      "null",
      "file://",
      "app://panel",
      "capacitor://localhost",
      "http://[::1]:9980",
      "http://x:8080",
    ]
  ) {
    assertEquals(new WebServer({ origins: [item] }).parameters.origins, [item]);
  }
});
