/** Mutated HTTP/2 requests, as the bytes of one connection: hand-written frames, with literal headers and without Huffman codes. */

import { mutateBytes, number } from "./bytes.ts";
import type { Random } from "./random.ts";

export const DATA = 0;
export const HEADERS = 1;
const PRIORITY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
const PUSH_PROMISE = 5;
export const PING = 6;
export const GOAWAY = 7;
const WINDOW_UPDATE = 8;
const CONTINUATION = 9;

export const END_STREAM = 1;
export const END_HEADERS = 4;
export const PADDED = 8;
export const PRIORITIZED = 0x20;
/** Of a SETTINGS or PING: the answer to one. */
export const ACK = 1;

/** What a client begins with (RFC 9113, section 3.4). */
export const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/** The server may not keep headers in a table, so that each of its blocks can be read alone. */
const NO_TABLE = number(1, 2) + number(0, 4);

/** A frame (RFC 9113, section 4.1). */
export function frame(type: number, flags: number, stream: number, payload = "", length = payload.length): string {
  return number(length, 3) + String.fromCharCode(type, flags) + number(stream, 4) + payload;
}

/** An integer behind the bits of a first byte (RFC 7541, section 5.1). */
function integer(first: number, bits: number, value: number): string {
  const most = (1 << bits) - 1;
  if (value < most) return String.fromCharCode(first | value);
  let text = String.fromCharCode(first | most);
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) text += String.fromCharCode(128 | (rest % 128));
  return text + String.fromCharCode(rest);
}

/** A header. */
export type Field = [name: string, value: string];

/** A literal header: 0x00 is not indexed, 0x10 never, 0x40 from now on. */
export function literal([name, value]: Field, kind = 0): string {
  return String.fromCharCode(kind) + integer(0, 7, name.length) + name + integer(0, 7, value.length) + value;
}

/** A request before it is written. */
interface Draft {
  fields: Field[];
  /** The kind of literals. */
  kind: number;
  /** Bytes of the header block in front of the literals and behind them. */
  before: string;
  behind: string;
  body: string[];
  trailers: Field[] | undefined;
  /** Whether the request has an end. */
  ends: boolean;
  /** Frames in front of the headers, behind them, and at the end. */
  first: string;
  between: string;
  last: string;
  /** How the header block is cut into frames. */
  cut: "whole" | "continued" | "padded" | "prioritized" | "open";
  padding: boolean;
  stream: number;
}

const METHODS = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
  "TRACE",
  "CONNECT",
  "BREW",
  "get",
  "",
  "G T",
  "G(T",
  "\xe9",
];

const PATHS = [
  ...[
    "",
    "*",
    "x",
    "/",
    "//",
    "//evil/x",
    "/a/../b",
    "/%2e%2e",
    "/%zz",
    "?a=1",
    "/?",
    "/?a=1&b=%41&c=+",
    "/?=&&a",
    "/a#b",
  ],
  ...[
    "/a#b?c",
    "/a b",
    "/a\tb",
    "/a\0b",
    "/\xc3\xbc",
    "/\xfc",
    "/?a=\xc3\xbc",
    "http://other/x",
    "http://panel",
    "/\\a",
    "/{a}|",
  ],
  ...[
    "/?__proto__=1&constructor=2",
    "/?10=a&9=b",
    "/a\r\nx: y",
    " /a",
    "/a ",
    "panel:80",
    "/\x7f",
    '/"<>',
    "/a?b?c=/?d",
  ],
];

const AUTHORITIES = [
  ...[
    "",
    "panel",
    "PANEL:80",
    "panel:",
    "panel:x",
    "panel:99999",
    ":80",
    "[::1]:80",
    "[::1",
    "[::::]",
    "1.2.3.4.5",
    "a/b",
  ],
  ...[
    "a?b",
    "a#b",
    "a\\b",
    "user@panel",
    "a b",
    "a%41",
    "%zz",
    "\xe9",
    "<a>",
    "a_b",
    "a,b",
    "a..b",
    "x/admin?",
    "{a}",
    "a^b",
  ],
];

const EXTRAS: readonly Field[] = [
  ...([
    "Accept",
    "x\0y",
    "x y",
    "",
    ":x",
    "x:y",
    "x-\xfc",
    "x\r\ny",
    "__proto__",
    "method",
    "uri",
    "data",
    "clientaddress",
  ]
    .map((name): Field => [name, "1"])),
  ...(["a\0b", "a\r\nb", "a\nb", " a ", "\xfc", "", "a\x01b", "a\x7fb", "a, b", "a\tb"].map((
    value,
  ): Field => ["x-a", value])),
  ...(["gzip", "trailers", "trailers, gzip", ""].map((value): Field => ["te", value])),
  ...(["panel", "other", "", "a/b", "panel:80"].map((value): Field => ["host", value])),
  ...(["h2c", "websocket", "foo"].map((value): Field => ["upgrade", value])),
  ...(["http://panel", "http://evil.example", "null", ""].map((value): Field => ["origin", value])),
  ...(["chunked", "gzip", "identity", ""].map((value): Field => ["transfer-encoding", value])),
  ...(["close", "keep-alive", "x-a"].map((value): Field => ["connection", value])),
  ["keep-alive", "timeout=5"],
  ["proxy-connection", "keep-alive"],
  ["cookie", "a=1"],
  ["cookie", "b=2"],
  ["set-cookie", "a=1"],
  ["set-cookie", "b=2"],
  ["expect", "100-continue"],
  ["content-type", "text/plain"],
  ["authorization", "Basic eDp5"],
  ["x-long", "v".repeat(9000)],
  ["x-long", "v".repeat(16_000)],
];

const PSEUDO: readonly Field[] = [
  [":method", "GET"],
  [":path", "/other"],
  [":scheme", "https"],
  [":authority", "other"],
  [":status", "200"],
  [":protocol", "websocket"],
  [":foo", "bar"],
  [":", "x"],
  [":PATH", "/"],
];

const LENGTHS =
  "+LEN|-1|0LEN|LEN.0|LENx|LEN,LEN|LEN, LEN|LEN,9|,LEN||x| LEN|LEN |99|9007199254740993|99999999999999999999999|0|1"
    .split("|");

const BODIES = ["a", "hello", '{"a":[1]}', "\0\xff\r\n", "b".repeat(3000)];

/** Frames that may come at any place. No PING that answers one: Deno prints a line for each that it did not ask for. */
function stray(random: Random, stream: number): string {
  const other = random.pick([0, stream, stream, stream + 2, 2, 99, 0x7fffffff]);
  return random.pick([
    () =>
      frame(
        SETTINGS,
        0,
        0,
        random.pick(["", number(2, 2) + number(1, 4), number(2, 2) + number(2, 4), number(99, 2) + number(1, 4)]),
      ),
    () => frame(SETTINGS, 0, 0, number(4, 2) + number(random.pick([65_535, 0x7fffffff, 0x80000000]), 4)),
    () => frame(SETTINGS, 0, 0, number(5, 2) + number(random.pick([0, 16_384, 16_777_215, 16_777_216]), 4)),
    () => frame(SETTINGS, ACK, random.pick([0, stream]), random.pick(["", "x"])),
    () => frame(SETTINGS, 0, random.pick([0, stream]), random.pick(["x", number(1, 2) + number(0, 4)])),
    () =>
      frame(
        PING,
        0,
        random.pick([0, 0, stream]),
        random.pick(["12345678", "12345678", "1234567"]),
      ),
    () => frame(WINDOW_UPDATE, 0, other, number(random.pick([0, 1, 1000, 0x7fffffff]), 4)),
    () => frame(PRIORITY, 0, other, number(random.pick([0, stream, other]), 4) + "\x0f"),
    () => frame(PRIORITY, 0, other, "1234"),
    () => frame(RST_STREAM, 0, other, number(random.pick([0, 1, 8, 99]), random.pick([4, 4, 3]))),
    () =>
      frame(
        GOAWAY,
        0,
        random.pick([0, 0, stream]),
        number(0, 4) + number(random.pick([0, 1]), 4) + random.pick(["", "bye"]),
      ),
    () => frame(DATA, random.below(2), other, random.pick(["", "stray"])),
    () => frame(CONTINUATION, END_HEADERS, other, literal(["x-a", "1"])),
    () => frame(PUSH_PROMISE, END_HEADERS, other, number(2, 4) + literal([":method", "GET"])),
    () => frame(10 + random.below(240), random.below(256), other, random.pick(["", "unknown"])),
  ])();
}

function set({ fields }: Draft, name: string, value: string | undefined): void {
  const at = fields.findIndex((field) => field[0] === name);
  if (at >= 0 && value === undefined) fields.splice(at, 1);
  else if (at >= 0) fields[at]![1] = value!;
}

function insert({ fields }: Draft, random: Random, field: Field): void {
  fields.splice(random.below(fields.length + 1), 0, [...field]);
}

const MUTATIONS: readonly ((draft: Draft, random: Random) => void)[] = [
  (draft, random) => set(draft, ":method", random.pick(METHODS)),
  (draft, random) => set(draft, ":path", random.pick(PATHS)),
  (draft, random) => set(draft, ":path", `/${random.pick(PATHS)}${random.pick(PATHS)}`),
  (draft, random) => set(draft, ":authority", random.pick(AUTHORITIES)),
  (draft, random) => set(draft, ":scheme", random.pick(["https", "HTTP", "", "ftp", "x y", "http ", "ws", "\xe9"])),
  (draft, random) => set(draft, random.pick([":method", ":path", ":scheme", ":authority"]), undefined),
  (draft, random) => insert(draft, random, random.pick(PSEUDO)),
  (draft, random) => draft.fields.push([...random.pick(draft.fields)]),
  (draft, random) => draft.fields.reverse() && random.chance(50) && insert(draft, random, random.pick(EXTRAS)),
  (draft, random) => {
    const field = random.pick(draft.fields);
    field[0] = random.pick([
      field[0].toUpperCase(),
      ` ${field[0]}`,
      `${field[0]} `,
      field[0].slice(1),
      `x-${field[0]}`,
    ]);
  },
  (draft, random) => draft.fields.push([...random.pick(EXTRAS)]),
  (draft, random) => draft.fields.push([...random.pick(EXTRAS)], [...random.pick(EXTRAS)]),
  (draft, random) => insert(draft, random, random.pick(EXTRAS)),
  (draft, random) => {
    // With another host in the header than in the pseudo header, or in one of them only.
    if (random.chance(50)) set(draft, ":authority", random.chance(50) ? undefined : random.pick(AUTHORITIES));
    draft.fields.push(["host", random.pick(AUTHORITIES)]);
  },
  (draft, random) => {
    const length = draft.body.join("").length;
    draft.fields.push(["content-length", random.pick(LENGTHS).replaceAll("LEN", String(length))]);
    if (random.chance(20)) draft.fields.push(["content-length", String(length)]);
  },
  (draft, random) =>
    draft.fields.push(["content-length", String(Math.max(0, draft.body.join("").length + random.pick([0, 1, -1, 5])))]),
  (draft, random) => draft.body = Array.from({ length: random.below(5) }, () => random.pick([...BODIES, ""])),
  (draft, random) => draft.padding = random.chance(90),
  (draft, random) => draft.ends = random.chance(10),
  (draft, random) => {
    draft.trailers = random.pick<Field[]>([[["x-a", "1"]], [["content-length", "5"]], [[":path", "/forged"]], [[
      "Host",
      "x",
    ]], []]);
  },
  (draft, random) => draft.first = stray(random, draft.stream),
  (draft, random) => draft.between = stray(random, draft.stream),
  (draft, random) => draft.last = stray(random, draft.stream),
  (draft, random) => draft.cut = random.pick(["continued", "padded", "prioritized", "open"]),
  (draft, random) => draft.stream = random.pick([0, 2, 3, 99, 1, 0x7fffffff, 0x80000001]),
  (draft, random) => draft.kind = random.pick([0x10, 0x40]),
  (draft, random) =>
    draft.before = random.pick([
      "\x82",
      "\x84",
      "\x87",
      "\x80",
      "\xbe",
      "\xff\x00",
      "\x20",
      "\x3f\xe1\x1f",
      "\x3f\xe1\xff\x7f",
      "\xff\xff\xff\xff\xff\xff",
    ]),
  (draft, random) =>
    draft.behind = random.pick(["\x00", "\x00\x03x-", "\x00\xff", "\x82", "\x90", "\x20", "\x40\x81\xff\x01a", "\x1f"]),
];

function base(random: Random, stream: number): Draft {
  const method = random.pick(["GET", "GET", "POST", "POST", "PUT", "HEAD", "DELETE", "OPTIONS"]);
  const hasBody = random.chance(method === "GET" || method === "HEAD" ? 10 : 80);
  return {
    fields: [
      [":method", method],
      [":scheme", "http"],
      [":authority", "panel"],
      [":path", random.pick(["/", "/a", "/a/b?c=d", "/?q=%20x+y"])],
      ...(random.chance(30) ? [["accept", "*/*"] as Field] : []),
    ],
    kind: 0,
    before: "",
    behind: "",
    body: hasBody ? [random.pick(BODIES)] : [],
    trailers: undefined,
    ends: true,
    first: "",
    between: "",
    last: "",
    cut: "whole",
    padding: false,
    stream,
  };
}

function renderHeaders(draft: Draft, random: Random, endStream: number): string {
  const { stream, cut, kind } = draft;
  const block = draft.before + draft.fields.map((field) => literal(field, kind)).join("") + draft.behind;
  const half = random.below(block.length);
  switch (cut) {
    case "whole":
      return frame(HEADERS, END_HEADERS | endStream, stream, block);
    case "continued": {
      const between = random.chance(20) ? stray(random, stream) : "";
      return frame(HEADERS, endStream, stream, block.slice(0, half)) + between +
        frame(CONTINUATION, END_HEADERS, random.chance(90) ? stream : stream + 2, block.slice(half));
    }
    case "padded": {
      const padding = random.pick([0, 1, 8, 255]);
      return frame(
        HEADERS,
        END_HEADERS | PADDED | endStream,
        stream,
        number(padding, 1) + block + "\0".repeat(Math.min(padding, 8)),
      );
    }
    case "prioritized": {
      const parent = random.pick([0, 1, stream, 0x80000000]);
      return frame(HEADERS, END_HEADERS | PRIORITIZED | endStream, stream, number(parent, 4) + "\x0f" + block);
    }
    case "open":
      return frame(HEADERS, endStream, stream, block);
  }
}

function render(draft: Draft, random: Random): string {
  const { stream, body, trailers, ends } = draft;
  const end = (isLast: boolean) => isLast && ends ? END_STREAM : 0;
  let text = draft.first + renderHeaders(draft, random, end(body.length === 0 && trailers === undefined)) +
    draft.between;
  for (const [index, data] of body.entries()) {
    const isLast = index === body.length - 1 && trailers === undefined;
    if (!draft.padding) text += frame(DATA, end(isLast), stream, data);
    else {
      const padding = random.pick([0, 1, 10, 255]);
      text += frame(DATA, PADDED | end(isLast), stream, number(padding, 1) + data + "\0".repeat(Math.min(padding, 10)));
    }
  }
  if (trailers) {
    text += frame(
      HEADERS,
      END_HEADERS | (random.chance(90) ? end(true) : 0),
      stream,
      trailers.map((field) => literal(field)).join(""),
    );
  }
  return text + draft.last;
}

/** The bytes of a connection, and the streams that should have an answer. */
export interface HTTP2Case {
  readonly text: string;
  readonly streams: readonly number[];
}

/** A connection with one request without a body, as it should be. */
export function http2Request(fields: readonly Field[]): HTTP2Case {
  const block = fields.map((field) => literal(field)).join("");
  const headers = frame(HEADERS, END_HEADERS | END_STREAM, 1, block);
  return { text: PREFACE + frame(SETTINGS, 0, 0, NO_TABLE) + headers, streams: [1] };
}

/** The bytes of a connection with one to three requests. */
export function http2Case(random: Random): HTTP2Case {
  const count = random.chance(80) ? 1 : 2 + random.below(2);
  const streams: number[] = [];
  let text = "";
  for (let at = 0; at < count; at++) {
    const draft = base(random, 1 + 2 * at);
    for (let turn = random.pick([0, 1, 1, 1, 2, 3]); turn > 0; turn--) random.pick(MUTATIONS)(draft, random);
    text += render(draft, random);
    if (draft.ends) streams.push(draft.stream);
  }
  if (random.chance(15)) text = mutateBytes(text, random);
  const preface = random.chance(99) ? PREFACE : mutateBytes(PREFACE, random);
  return { text: preface + frame(SETTINGS, 0, 0, NO_TABLE) + text, streams };
}
