/**
 * Text of clients as large as Deno takes it, in shapes on which regular expressions and trims take quadratic time: each request is
 * answered, and none keeps the event loop for itself.
 */

import process from "node:process";
import { assert, assertEquals } from "@std/assert";
import { logRequests } from "../internal/cli/request_log.ts";
import { verifyBasic } from "../mod.ts";
import { running, type Subject } from "./helpers.ts";
import { HANDSHAKE, handshake } from "./support/handshake.ts";

/** Bytes of one value: Deno accepts heads of up to 64 KiB. */
const SIZE = 60_000;
/** Milliseconds of processor time. Quadratic time is a second and more at this size, linear time a few milliseconds. */
const BOUND = 500;
/** Other work in this process, such as collecting garbage, counts too, so the fastest try is the one that counts. */
const TRIES = 5;

const filled = (pattern: string, before = "", after = "") => before + pattern.repeat(SIZE / pattern.length) + after;

const SHAPES: Record<string, string> = {
  "spaces inside": filled(" ", "a", "b"),
  "tabs inside": filled("\t", "a", "b"),
  "spaces and tabs inside": filled(" \t", "a", "b"),
  "letters and spaces": filled("a ", "", "!"),
  "letters and commas": filled("a,", "", "b"),
  "commas": filled(",", "", "b"),
  "commas and spaces": filled(", ", "a", "b"),
  "spaces before commas": filled("  ,", "a", "b"),
  "semicolons": filled(";", "a", "b"),
  "semicolons and spaces": filled("; ", "a/b", "b"),
  "parameters": filled(";a=b", "a/b"),
  "equals signs": filled("=", "a", "b"),
  "opening quotes": filled('="', "a/b;a", "b"),
  "quotes": filled('"', 'a="', "b"),
  "backslashes in quotes": filled("\\", '"', "b"),
  "escaped quotes": filled('\\"', 'a/b;a="', "b"),
  "nested brackets": filled("([", "", "b"),
  "colons": filled(":", "a", "!"),
  "dots": filled("1.", "", "!"),
  "slashes": filled("/", "http:", "!"),
  "percent signs": filled("%", "a", "!"),
  "at signs": filled("@", "http://a", "!"),
  "dashes": filled("-", "a", " b"),
  "one long token": filled("a", "", "!"),
  "base64": filled("QQ==", "", "!"),
  "digits": filled("9", "", "x"),
  "zeros": filled("0"),
  "numbers in a list": filled("0, ", "", "1"),
  "IPv4 addresses": filled("127.0.0.1,", "", "!"),
  "IPv6 addresses": filled("::1, ", "", "!"),
  "capital letters": filled("A", "http://", "!"),
  "letters beyond ASCII": filled("\xe4", "a", "b"),
};

/** Headers that the server, its helpers or a usual callback read, and a text to put before the shape. */
const HEADERS: [name: string, before?: string][] = [
  ["Accept"],
  ["Authorization"],
  ["Authorization", "Basic "],
  ["Authorization", "Basic"],
  ["Connection"],
  ["Connection", "Upgrade, "],
  ["Content-Length"],
  ["Content-Type"],
  ["Content-Type", "multipart/form-data; boundary="],
  ["Content-Type", "multipart/form-data;"],
  ["Cookie"],
  ["Expect"],
  ["Host"],
  ["Host", "localhost:"],
  ["Origin"],
  ["Origin", "http://"],
  ["Range", "bytes="],
  ["Sec-WebSocket-Extensions"],
  ["Sec-WebSocket-Key"],
  ["Sec-WebSocket-Protocol"],
  ["Sec-WebSocket-Version"],
  ["Transfer-Encoding"],
  ["Transfer-Encoding", "chunked"],
  ["Upgrade"],
  ["Upgrade", "websocket, "],
  ["X-Forwarded-For"],
];

const GET = ["Host: localhost"];
const USERS = { operator: "stage left" };

/** A server that reads of a request all there is, as the log of the program does too. */
async function curious(body: "buffer" | "stream" = "buffer"): Promise<Subject> {
  const subject = await running({
    async onHTTPRequest(webServer, request) {
      const allowed = webServer.authenticateBasic(request["Authorization"], USERS) ||
        await verifyBasic(request["Authorization"], {});
      // All keys and values; an invalid Host ends the callback here.
      const { data, ...fields } = request;
      const { length } = JSON.stringify(fields);
      await request.formData().catch(() => {});
      await request.json().catch(() => {});
      return Response.json([allowed, length, data.length]);
    },
    onWebSocketRequest(webServer, request) {
      webServer.authenticateBasic(request["Authorization"], USERS);
      JSON.stringify({ ...request });
    },
  }, { trustedProxies: ["127.0.0.1", "::1"], origins: ["same", "http://panel.example"], body });
  logRequests(subject.server, () => {});
  return subject;
}

/** Sends bytes, and returns the status of the answer; 0 if the connection ends without one. */
async function statusOf(port: number, text: string): Promise<number> {
  using connection = await Deno.connect({ port, hostname: "127.0.0.1" });
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
  const answer = new Uint8Array(1024);
  const length = await connection.read(answer).catch(() => null);
  return length === null ? 0 : Number(/^HTTP\/1.1 (\d{3}) /.exec(new TextDecoder("latin1").decode(answer))?.[1] ?? 0);
}

/** Milliseconds of processor time of this process, in which the server runs: a busy machine does not add to them. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Sends a request, several times if the first answers take too long; fails if all of them do. */
async function answeredInTime(port: number, text: string, what: string): Promise<number> {
  let fastest = Infinity;
  let status = 0;
  for (let count = 0; count < TRIES && fastest > BOUND; count++) {
    const start = processorTime();
    status = await statusOf(port, text);
    fastest = Math.min(fastest, processorTime() - start);
  }
  assert(fastest <= BOUND, `${what}: ${fastest} ms of processor time`);
  return status;
}

function requestOf(line: string, headers: string[], body = ""): string {
  return [`${line} HTTP/1.1`, ...headers, "", ""].join("\r\n") + body;
}

/** A header in a request, a request with a body, and a handshake; each of these in its place if it has that header. */
function requestsWith(name: string, value: string): string[] {
  const isOf = (line: string) => line.startsWith(`${name}:`);
  const length = name === "Transfer-Encoding" ? [] : ["Content-Length: 3"];
  return [
    requestOf("GET /", [...GET.filter((line) => !isOf(line)), `${name}: ${value}`, "Connection: close"]),
    requestOf("POST /", [...[...GET, ...length].filter((line) => !isOf(line)), `${name}: ${value}`], "a=b"),
    requestOf("GET /", HANDSHAKE.some(isOf) ? handshake(name, value) : [...HANDSHAKE, `${name}: ${value}`]),
  ];
}

for (const [name, before = ""] of HEADERS) {
  Deno.test(`linear time: ${name}${before && `: ${before}...`} of 60 KB in any shape is answered at once`, async () => {
    await using subject = await curious();
    const { warn } = console;
    console.warn = () => {};
    try {
      for (const [shape, text] of Object.entries(SHAPES)) {
        for (const request of requestsWith(name, before + text)) {
          const status = await answeredInTime(subject.port, request, shape);
          assert(status === 101 || (status >= 200 && status < 600 && status !== 500), `${shape}: ${status}`);
        }
      }
    } finally {
      console.warn = warn;
    }
    assertEquals(subject.errors, []);
  });
}

/** Queries and forms of many kinds, each of about `size` bytes. */
function queries(size: number): Record<string, string> {
  const filled = (pattern: string) => pattern.repeat(size / pattern.length);
  const numbered = (name: (index: number) => string) => {
    let text = "";
    for (let index = 0; text.length < size; index++) text += `${name(index)}&`;
    return text.slice(0, size);
  };
  return {
    "ampersands": filled("&"),
    "equals signs": filled("="),
    "percent signs": filled("%"),
    "half escapes": filled("%4"),
    "escapes": filled("%41"),
    "escapes that are no UTF-8": filled("%ff"),
    "plus signs": filled("+"),
    "empty fields": filled("a&"),
    "fields of one name": filled("a=b&"),
    "question marks": filled("?"),
    "names of the prototype": filled("__proto__=1&"),
    "rising numbers": numbered(String),
    "falling numbers": numbered((index) => String(99_999 - index)),
    "far numbers": numbered((index) => String(4_294_967_294 - index * 1_000)),
    "many names": numbered((index) => `a${index.toString(36)}`),
    "one long name": filled("a"),
  };
}

Deno.test("linear time: a target of 60 KB in any shape is answered at once, and its pars are read", async () => {
  await using subject = await curious();
  for (const [shape, query] of Object.entries(queries(SIZE))) {
    for (const target of [`/?${query}`, `/${query}`, `/?=%+${query}`, `http://localhost/${query}`]) {
      const request = requestOf(`GET ${target}`, [...GET, "Connection: close"]);
      assertEquals(await answeredInTime(subject.port, request, shape), 200, shape);
    }
  }
  for (const pattern of ["/", "//", "/.", "/..", "/../", "/%2e%2e", "\\", ":", "@", "[", "#"]) {
    for (const before of ["/", "http://localhost", "http://", "//"]) {
      const request = requestOf(`GET ${filled(pattern, before)}`, [...GET, "Connection: close"]);
      const status = await answeredInTime(subject.port, request, before + pattern);
      assert([200, 400].includes(status), `${before + pattern}: ${status}`);
    }
  }
  assertEquals(subject.errors, []);
});

/** Bytes of a body. */
const LARGE = 1 << 18;

for (const body of ["buffer", "stream"] as const) {
  Deno.test(`linear time: body: "${body}": forms and JSON of 256 KB in any shape are answered in time`, async () => {
    await using subject = await curious(body);
    const forms = queries(LARGE);
    const part = 'Content-Disposition: form-data; name="a"';
    const multipart: Record<string, string> = {
      "dashes": "-".repeat(LARGE),
      "lines of dashes": "--\r\n".repeat(LARGE / 4),
      "line ends": "--b\r\n" + "\r\n".repeat(LARGE / 2),
      "boundaries that are nearly one": `--b\r\n${part}\r\n\r\n${"\r\n-b".repeat(LARGE / 4)}\r\n--b--`,
      "carriage returns": `--b\r\n${part}\r\n\r\n${"\r".repeat(LARGE)}\r\n--b--`,
      "headers": `--b\r\n${part}\r\n${"a:b\r\n".repeat(LARGE / 5)}\r\n\r\n--b--`,
      "a long header": `--b\r\n${part}${" ".repeat(LARGE)};x=y\r\n\r\n\r\n--b--`,
      "parameters": `--b\r\n${part}${";a=b".repeat(LARGE / 4)}\r\n\r\n\r\n--b--`,
      "quotes": `--b\r\n${part}; filename="${'\\"'.repeat(LARGE / 2)}\r\n\r\n\r\n--b--`,
      "parts with headers of 4 KB": `--b\r\n${part}; filename="${" ;".repeat(2000)}"\r\n\r\n\r\n`.repeat(250) + "--b--",
    };
    const json = ["[", "{", '"', "\\", '"\\', ",", ":", "1", "-", "[1,", '{"a":', " ", "\t", '"a",', "1e", "/*", "null"]
      .map((pattern) => pattern.repeat(LARGE / pattern.length));
    const bodies = [
      ...Object.entries(forms).map(([shape, text]) => ["application/x-www-form-urlencoded", shape, text]),
      ...Object.entries(multipart).map(([shape, text]) => ["multipart/form-data; boundary=b", shape, text]),
      ...json.map((text) => ["application/json", text.slice(0, 8), text]),
    ] as [string, string, string][];
    for (const [type, shape, text] of bodies) {
      const headers = [...GET, `Content-Type: ${type}`, `Content-Length: ${text.length}`, "Connection: close"];
      assertEquals(await answeredInTime(subject.port, requestOf("POST /", headers, text), `${type}, ${shape}`), 200);
    }
    assertEquals(subject.errors, []);
  });
}
