/** Mutated HTTP/1.1 requests, as the bytes of one connection. */

import { mutateBytes } from "./bytes.ts";
import type { Random } from "./random.ts";

/** A header as it is written: name, what stands between, value. */
type Header = [name: string, separator: string, value: string];

/** A request before it is written. */
interface Draft {
  before: string;
  method: string;
  space: string;
  target: string;
  version: string;
  end: string;
  readonly headers: Header[];
  /** What is behind the headers. */
  body: string;
}

const METHODS = "GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT PRI BREW get Post M-SEARCH G(T GE\0T é X-A_b.c~1"
  .split(" ");

const TARGETS = [
  ...["", "*", "/", "//", "///x", "//evil/x", "/a//b/", "/./a", "/../../etc/passwd", "/a/..", "/%2e%2e/x", "/%zz%"],
  ...["?", "?a=1", "/?", "/??", "/?a", "/?=", "/?a=1&a=2", "/?&&=&a&b=&=c", "/?a=%41&b=+&c=%zz", "/?a=%ff&b=%c3%bc"],
  ...["/?__proto__=1&constructor=2&toString=3", "/?10=a&9=b&x=c", "/?a=b=c", "/?a;b=c", "/?q=/?x", "/?a[]=1&a[]=2"],
  ...["/#", "/a#b", "/a#b?c", "/a?b#c", "#", "/a b", "/a\tb", "/a\0b", "/a\x7fb", "/\\a\\b", "/a|b", "/{a}", '/"a"'],
  ...[
    "/\xc3\xbc",
    "/\xfc",
    "/?a=\xc3\xbc",
    "/?\xff=\xfe&a=+",
    "/\xef\xbb\xbf",
    "/<x>",
    "/a;b=c",
    "/a,b",
    "/a:b",
    "a:b",
  ],
  ...["http://panel/x", "http://panel", "http://panel?x=1", "http://panel#x", "http://other:81/x?y", "HTTP://panel/x"],
  ...["https://panel/x", "ftp://panel/x", "http:///x", "http://", "http:/x", "http:x", "http://user@panel/x"],
  ...["http://a\\b/x", "http://[::1]/x", "http://[::1/x", "http://a:b/x", "http://a:99999/", "http://%zz/", "//"],
  ...["ws://panel/x", "panel", "panel:80", "x://y/z", "file:///etc/passwd", "/http://panel/x", "javascript:1"],
] as const;

const VERSIONS = "HTTP/1.0 HTTP/1.2 HTTP/2.0 HTTP/0.9 HTTP/1.1x http/1.1 HTTP/11 HTTP/1. HTTP/1.01 HTTP 1.1 XTTP/1.1"
  .split(" ");

const HOSTS = [
  ...[
    "",
    "panel",
    "PANEL",
    "panel:80",
    "panel:",
    "panel:0",
    "panel:65535",
    "panel:65536",
    "panel:x",
    ":80",
    "127.0.0.1",
  ],
  ...["[::1]", "[::1]:80", "[::1", "::1", "[::1]x", "[v1.a]", "[::::]", "1.2.3", "1.2.3.4.5", "0x7f.1", "999.1.1.1"],
  ...["a/b", "a?b", "a#b", "a\\b", "user@panel", "a b", "a,b", "a;b", "a_b", "a%41", "%zz", "%", "é", "\xfc", "<a>"],
  ...["a..b", ".a", "a.", "-a-", "xn--a", "x/admin?", "a\tb", "'a'", "(a)", "a*b", "a^b", "a|b", "{a}", "a\x7fb"],
  "a".repeat(300),
];

const ORIGINS = [
  "http://panel",
  "https://panel",
  "http://evil.example",
  "null",
  "",
  "file://",
  "//",
  "http://PANEL",
  "x y",
];

const EXTRAS: readonly (readonly [string, readonly string[]])[] = [
  ["Upgrade", ["h2c", "websocket", "WebSocket", "foo", "", "h2c, websocket", "TLS/1.0"]],
  ["Connection", ["close", "keep-alive", "Upgrade", "close, Upgrade", "", "Host", "x-a", "CLOSE", "keep-alive, close"]],
  ["Expect", ["100-continue", "100-Continue", "200-ok", ""]],
  ["Content-Type", ["application/json", "text/plain", "multipart/form-data", "x", ""]],
  ["Cookie", ["a=1", "a=1; b=2", ""]],
  ["Set-Cookie", ["a=1", "b=2"]],
  ["Authorization", ["Basic eDp5", "Bearer x", ""]],
  ["X-Forwarded-For", ["1.2.3.4", "x"]],
  ["Forwarded", ["for=1.2.3.4"]],
  ["Range", ["bytes=0-1"]],
  ["TE", ["trailers", "gzip"]],
  ["Trailer", ["X-A", "Content-Length"]],
  ["Keep-Alive", ["timeout=5"]],
  ["Proxy-Connection", ["keep-alive"]],
  ["HTTP2-Settings", ["AAMAAABkAAQAAP__", ""]],
  ["Method", ["POST"]],
  ["uri", ["/forged"]],
  ["clientAddress", ["6.6.6.6:6"]],
  ["Data", ["x"]],
  ["text", ["x"]],
  ["__proto__", ["x"]],
  ["constructor", ["x"]],
  ["toString", ["x"]],
  ["X-Method-Override", ["DELETE"]],
];

const NAMES = [
  "",
  " ",
  "X A",
  "X-A ",
  " X-A",
  "X\tA",
  "X:A",
  "X(A)",
  "X\0A",
  "X-\xfc",
  "x",
  "!#$%&'*+-.^_`|~",
  "X\x7f",
  "Á",
];

const VALUES = [
  ...[
    "",
    " ",
    "\t",
    " a",
    "a ",
    "\ta\t",
    "a\tb",
    "a\0b",
    "a\x01b",
    "a\x7fb",
    "\xfc",
    "\xc3\xbc",
    "a,b",
    ", ,",
    '"a, b"',
  ],
  ...["a\r\n b", "a\r\n\tb", "a\rb", "a\nb", "a\r\nX-Forged: 1", "\u00a0a", "a\x0bb", "\x85", ":", "=?utf-8?q?a?="],
];

const LENGTHS =
  "+LEN|-1|-LEN|0xLEN|LEN.0|LENx|0LEN|00000000000000000000LEN|LEN,LEN|LEN, LEN|LEN,9|,LEN|LEN,||x|1e1|LEN LEN|LEN\t| LEN |99|9007199254740993|99999999999|18446744073709551616|99999999999999999999999|0|1"
    .split("|");

const CODINGS = [
  ...[
    "chunked",
    "Chunked",
    "CHUNKED",
    " chunked ",
    "\tchunked",
    "chunked,",
    ",chunked",
    "chunked, chunked",
    '"chunked"',
  ],
  ...["gzip, chunked", "chunked, gzip", "gzip", "identity", "identity, chunked", "chunked, identity", "xchunked"],
  ...["chunked;q=1", "chunked x", "", "\x0bchunked", "chunked\0", "chun\r\n ked"],
];

const SIZES = 'LEN 0LEN 0000000000000000LEN 0xLEN +LEN -LEN LEN;a=b LEN;a="b;c" LEN; LEN;; LENx LEN. x ffffffff'.split(
  " ",
);

/** A body in chunks, of which one may be wrong. */
function chunked(body: string, random: Random, odd: boolean): string {
  let text = "";
  const fault = odd ? random.below(8) : -1;
  for (let at = 0; at < body.length;) {
    const size = Math.min(1 + random.below(9 + body.length / 4), body.length - at);
    const digits = size.toString(16);
    const here = fault >= 0 && random.chance(40);
    let line = random.chance(50) ? digits : digits.toUpperCase();
    if (here && fault === 0) line = random.pick([...SIZES, "LEN ", " LEN", "LEN\t", ""]).replace("LEN", digits);
    if (here && fault === 1) line = (size + random.pick([-1, 1, 16])).toString(16);
    const end = here && fault === 2 ? random.pick(["\n", "\r", "", "\r\r\n", " \r\n"]) : "\r\n";
    const behind = here && fault === 3 ? random.pick(["\n", "\r", "", "x\r\n", "\r\n\r\n"]) : "\r\n";
    text += `${line}${end}${body.slice(at, at + size)}${behind}`;
    at += size;
  }
  if (fault === 4) return text;
  const last = fault === 5 ? random.pick(["00", "0;a", "000000000000000000000", "0 ", "-0", "0x0", ""]) : "0";
  const trailers = fault === 6
    ? random.pick(["X-A: 1\r\n", "Content-Length: 1\r\n", "Host: x\r\n", "bad\r\n", " \r\n", ":\r\n"])
    : "";
  return `${text}${last}\r\n${trailers}${fault === 7 ? random.pick(["", "\n", "\r", "x\r\n"]) : "\r\n"}`;
}

const BODIES = [
  "",
  "a",
  "hello",
  '{"a":[1]}',
  "a=1&b=2",
  "\0\xff\r\n",
  "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
  "0\r\n\r\n",
];

function base(random: Random): Draft {
  const method = random.pick(["GET", "GET", "POST", "POST", "PUT", "HEAD", "DELETE", "OPTIONS"]);
  const draft: Draft = {
    before: "",
    method,
    space: " ",
    target: random.pick(["/", "/a", "/a/b?c=d", "/?q=%20x+y"]),
    version: "HTTP/1.1",
    end: "\r\n",
    headers: [["Host", ": ", "panel"]],
    body: "",
  };
  if (random.chance(30)) draft.headers.push(["Accept", ": ", "*/*"]);
  if (!random.chance(method === "GET" || method === "HEAD" ? 10 : 80)) return draft;
  let body = random.pick(BODIES);
  if (random.chance(2)) body = "b".repeat(random.pick([1023, 16_384, 65_535, 65_536, 70_000]));
  if (random.chance(50)) setLength(draft, body);
  else setChunked(draft, body.slice(0, 2000), random, false);
  return draft;
}

function without({ headers }: Draft, ...names: string[]): void {
  for (let at = headers.length - 1; at >= 0; at--) {
    if (names.includes(headers[at]![0].toLowerCase())) headers.splice(at, 1);
  }
}

function setLength(draft: Draft, body: string, value = String(body.length)): void {
  without(draft, "content-length", "transfer-encoding");
  draft.headers.push(["Content-Length", ": ", value]);
  draft.body = body;
}

function setChunked(draft: Draft, body: string, random: Random, odd: boolean, coding = "chunked"): void {
  without(draft, "content-length", "transfer-encoding");
  draft.headers.push(["Transfer-Encoding", ": ", coding]);
  draft.body = chunked(body, random, odd);
}

function insert({ headers }: Draft, random: Random, header: Header): void {
  headers.splice(random.below(headers.length + 1), 0, header);
}

/** Often a method that has a body. */
function withBody(draft: Draft, random: Random): void {
  if (random.chance(80)) draft.method = random.pick(["POST", "PUT", "PATCH", "DELETE"]);
}

const MUTATIONS: readonly ((draft: Draft, random: Random) => void)[] = [
  (draft, random) =>
    draft.method = random.chance(95) ? random.pick(METHODS) : "M".repeat(random.pick([40, 300, 70_000])),
  (draft, random) => draft.target = random.pick(TARGETS),
  (draft, random) => draft.target = random.pick(TARGETS) + random.pick(TARGETS),
  (draft, random) =>
    draft.target = `/${Array.from({ length: 6 }, () => random.pick([..."/a?b&=%2+#;.:@é\\"])).join("")}`,
  (draft, random) => {
    const pair = () =>
      random.pick(["a", "b", "%61", "", "+", "é", "1", "a.b"]) + random.pick(["=", "", "=="]) +
      random.pick(["1", "%", "%41", ""]);
    draft.target = `/?${[pair(), pair(), pair()].join(random.pick(["&", "&", "&&", ";", "&amp;"]))}`;
  },
  (draft, random) => draft.target = `/${"t".repeat(random.pick([2000, 8192, 60_000, 65_536, 70_000]))}`,
  (draft, random) => draft.version = random.pick(VERSIONS),
  (draft, random) => draft.space = random.pick(["  ", "\t", "", "\0", "\x0b", " \t", "\u00a0"]),
  (draft, random) =>
    draft.before = random.pick(["\r\n", "\n", "\r\n\r\n\r\n", " ", "\t", "\0", "\r", "\xef\xbb\xbf", "x\r\n"]),
  (draft, random) => draft.end = random.pick(["\n", "\r", "\r\r\n", "\n\r", " \r\n", "\r\n "]),
  (draft, random) => {
    without(draft, "host");
    if (random.chance(80)) insert(draft, random, ["Host", ": ", random.pick(HOSTS)]);
  },
  (draft, random) => insert(draft, random, ["Host", ": ", random.pick(["panel", ...HOSTS])]),
  (draft, random) => {
    const [name, values] = random.pick(EXTRAS);
    insert(draft, random, [name, ": ", random.pick(values)]);
  },
  (draft, random) => {
    const [name, values] = random.pick(EXTRAS);
    for (let count = 2 + random.below(2); count > 0; count--) insert(draft, random, [name, ": ", random.pick(values)]);
  },
  (draft, random) => {
    withBody(draft, random);
    insert(draft, random, ["Origin", ": ", random.pick(ORIGINS)]);
  },
  (draft, random) => insert(draft, random, [random.pick(NAMES), ": ", "1"]),
  (draft, random) =>
    insert(draft, random, [
      "X-A",
      random.pick([":", ": ", ":\t ", "", " :", "\t: ", "::", ";", "="]),
      random.pick(VALUES),
    ]),
  (draft, random) => {
    const header = random.pick(draft.headers);
    if (header === undefined) return;
    header[0] = random.pick([header[0].toLowerCase(), header[0].toUpperCase(), `${header[0]} `, ` ${header[0]}`]);
  },
  (draft, random) => {
    const header = random.pick(draft.headers);
    if (header !== undefined) header[1] = random.pick([":", ":\t", ":   ", " : ", "", ": \r\n ", "\0:"]);
  },
  (draft, random) => {
    const count = random.pick([30, 100, 126, 127, 128, 129, 200]);
    for (let at = 0; at < count; at++) draft.headers.push([`X-${at}`, ": ", "1"]);
  },
  (draft, random) =>
    insert(draft, random, ["X-Long", ": ", "v".repeat(random.pick([5000, 32_768, 65_000, 65_536, 70_000]))]),
  (draft, random) => {
    withBody(draft, random);
    const body = random.pick(BODIES);
    setLength(draft, body, random.pick(LENGTHS).replaceAll("LEN", String(body.length)));
  },
  (draft, random) => {
    withBody(draft, random);
    const body = random.pick(BODIES);
    setLength(draft, body, String(Math.max(0, body.length + random.pick([-1, 1, -3, 10]))));
  },
  (draft, random) => {
    withBody(draft, random);
    const body = random.pick(BODIES);
    setLength(draft, body);
    insert(draft, random, ["Content-Length", ": ", String(body.length + random.pick([0, 0, 1, -1]))]);
  },
  (draft, random) => {
    withBody(draft, random);
    setChunked(
      draft,
      random.pick(BODIES),
      random,
      random.chance(60),
      random.chance(50) ? "chunked" : random.pick(CODINGS),
    );
  },
  (draft, random) => {
    withBody(draft, random);
    setChunked(draft, random.pick(BODIES), random, true);
  },
  (draft, random) => {
    withBody(draft, random);
    setChunked(draft, random.pick(BODIES), random, false, random.pick(CODINGS));
    if (random.chance(50)) insert(draft, random, ["Transfer-Encoding", ": ", random.pick(CODINGS)]);
  },
  (draft, random) => {
    withBody(draft, random);
    const body = random.pick(BODIES);
    setChunked(draft, body, random, false, random.pick(["chunked", ...CODINGS]));
    insert(draft, random, ["Content-Length", ": ", String(random.pick([0, body.length, draft.body.length]))]);
  },
];

function render({ before, method, space, target, version, end, headers, body }: Draft): string {
  const lines = [`${method}${space}${target}${space}${version}`, ...headers.map((header) => header.join("")), "", ""];
  return before + lines.join(end) + body;
}

/** The bytes of a connection with one to three requests. */
export function http1Case(random: Random): string {
  let text = "";
  const count = random.chance(80) ? 1 : 2 + random.below(2);
  for (let at = 1; at <= count; at++) {
    const draft = base(random);
    if (at === count && random.chance(90)) draft.headers.push(["Connection", ": ", "close"]);
    if (count === 1 || random.chance(60)) {
      for (let turn = random.pick([0, 1, 1, 1, 2, 3]); turn > 0; turn--) random.pick(MUTATIONS)(draft, random);
    }
    text += render(draft);
  }
  return random.chance(25) ? mutateBytes(text, random) : text;
}
