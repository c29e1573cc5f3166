/** A table of valid and invalid WebSocket frames: one case for each thing that RFC 6455 says about frames. */

import {
  BINARY,
  CLOSE,
  CONTINUATION,
  frame as frameBytes,
  type FrameOptions,
  PING,
  PONG,
  TEXT,
} from "../tests/support/frame.ts";
import { bytesOf, number, textOf, utf8 } from "./bytes.ts";

const KiB = 1024;

/** A frame, as a text with one character for each byte. */
function frame(opcode: number, payload = "", options?: FrameOptions): string {
  return textOf(frameBytes(opcode, bytesOf(payload), options));
}

/** A message in frames of these payloads, with control frames between them. */
function fragments(opcode: number, payloads: readonly string[], between = ""): string {
  return payloads.map((payload, index) =>
    frame(index === 0 ? opcode : CONTINUATION, payload, { fin: index === payloads.length - 1 })
  ).join(between);
}

/** A payload in pieces of one size. */
function pieces(payload: string, size: number): string[] {
  return Array.from(
    { length: Math.ceil(payload.length / size) },
    (_, index) => payload.slice(index * size, (index + 1) * size),
  );
}

function close(code: number, reason = ""): string {
  return frame(CLOSE, number(code, 2) + reason);
}

/** A ping whose pong shows that the server goes on. */
export const PROBE = "still there?";

/** Bytes to send at once, and what to wait for before the next step: a number of frames, or the pong of a probe. */
export interface Step {
  readonly bytes: string;
  readonly answers: number | "probe";
}

/** A case: what is sent behind a handshake. */
export interface WebSocketCase {
  readonly name: string;
  readonly steps: readonly Step[];
  /** Whether the client then says that it sends nothing more. */
  readonly leaves: boolean;
}

const CASES: WebSocketCase[] = [];

/** Frames, and how many frames answer them. The echo behind them and the close tell whether all is well. */
function define(name: string, bytes: string, answers: number): void {
  const steps = [{ bytes, answers }, { bytes: frame(TEXT, "after"), answers: 1 }, { bytes: close(1000), answers: 1 }];
  CASES.push({ name, steps, leaves: false });
}

/** Frames behind which the connection should end. */
function defineLast(name: string, bytes: string, leaves = false): void {
  const steps: Step[] = [{ bytes: frame(TEXT, "before"), answers: 1 }];
  if (leaves) steps.push({ bytes, answers: 0 });
  else {
    steps.push({ bytes: bytes + frame(TEXT, "after") + frame(PING, PROBE), answers: "probe" });
    steps.push({ bytes: close(1000), answers: 1 });
  }
  CASES.push({ name, steps, leaves });
}

for (const length of [0, 1, 125, 126, 127, 128, 65_535, 65_536, 65_537, 1024 * KiB]) {
  define(`a text of ${length} bytes`, frame(TEXT, "*".repeat(length)), 1);
  define(`${length} bytes`, frame(BINARY, "\xfe".repeat(length)), 1);
}

for (const [length, sizes] of [[0, [2, 8]], [5, [2, 8]], [125, [2, 8]], [126, [8]], [65_535, [8]]] as const) {
  for (const lengthSize of sizes) {
    define(
      `a text of ${length} bytes whose length has ${lengthSize} bytes`,
      frame(TEXT, "*".repeat(length), { lengthSize }),
      1,
    );
  }
}
defineLast("a length with the highest bit set", frame(BINARY, "", { lengthSize: 8, length: 2 ** 63 }));
defineLast("a length of 1 TiB", frame(BINARY, "x", { lengthSize: 8, length: 2 ** 40 }));

for (const opcode of [TEXT, BINARY]) {
  const kind = opcode === TEXT ? "a text" : "bytes";
  define(`${kind} in two fragments`, fragments(opcode, ["one", "two"]), 1);
  define(`${kind} in fragments of which some are empty`, fragments(opcode, ["", "one", "", "two", ""]), 1);
  define(`${kind} in three empty fragments`, fragments(opcode, ["", "", ""]), 1);
  define(`${kind} in fragments of one byte`, fragments(opcode, [..."a message of many fragments"]), 1);
  define(`${kind} with a ping between fragments`, fragments(opcode, ["one", "two"], frame(PING, "here?")), 2);
  define(`${kind} with pings between ten fragments`, fragments(opcode, [..."0123456789"], frame(PING, "x")), 10);
  define(`${kind} with a pong between fragments`, fragments(opcode, ["one", "two"], frame(PONG, "unasked")), 1);
  define(
    `${kind} with three control frames between fragments`,
    fragments(opcode, ["one", "two"], frame(PONG) + frame(PING) + frame(PONG, "x")),
    2,
  );
  defineLast(`${kind} with a close between fragments`, fragments(opcode, ["one", "two"], close(1000)));
  defineLast(
    `${kind} within fragments of another message`,
    frame(opcode, "one", { fin: false }) + frame(opcode, "two"),
  );
  defineLast(
    `${kind} whose second fragment is no continuation`,
    frame(opcode, "one", { fin: false }) + frame(opcode, "two", { fin: false }) + frame(CONTINUATION, "three"),
  );
  for (const size of [64, 1000, 16 * KiB]) {
    define(`${kind} of 64 KiB in fragments of ${size} bytes`, fragments(opcode, pieces("*".repeat(64 * KiB), size)), 1);
  }
  define(`${kind} of 1 MiB in fragments of 1 KiB`, fragments(opcode, pieces("*".repeat(1024 * KiB), KiB)), 1);
  define(`${kind} of 1 MiB in fragments of 64 KiB`, fragments(opcode, pieces("*".repeat(1024 * KiB), 64 * KiB)), 1);
  define(`${kind} larger than maxMessageSize`, frame(opcode, "*".repeat(3 * 1024 * KiB)), 1);
  define(
    `${kind} larger than maxMessageSize in fragments`,
    fragments(opcode, pieces("*".repeat(3 * 1024 * KiB), 64 * KiB)),
    1,
  );
  defineLast(`${kind} without a mask`, frame(opcode, "naked", { masked: false }));
  defineLast(`${kind} that ends within its payload`, frame(opcode, "short", { length: 100 }), true);
}
define("three messages at once", frame(TEXT, "one") + frame(BINARY, "two") + frame(TEXT, "three"), 3);
define(
  "a text and the same as bytes, each in fragments",
  fragments(TEXT, ["o", "ne"]) + fragments(BINARY, ["o", "ne"]),
  2,
);
defineLast("a continuation of nothing", frame(CONTINUATION, "lost"));
defineLast("a continuation of nothing that is not the last", frame(CONTINUATION, "lost", { fin: false }));
defineLast("a continuation behind a whole message", frame(TEXT, "whole") + frame(CONTINUATION, "lost"));
defineLast("an empty continuation of nothing", frame(CONTINUATION));

for (const length of [0, 1, 124, 125]) define(`a ping of ${length} bytes`, frame(PING, "\xff".repeat(length)), 1);
for (const length of [0, 1, 125]) {
  define(`a pong of ${length} bytes that nobody asked for`, frame(PONG, "\xff".repeat(length)), 0);
}
define("ten pings at once", frame(PING, "0") + [..."123456789"].map((digit) => frame(PING, digit)).join(""), 10);
define("a ping, a text, a ping", frame(PING, "1") + frame(TEXT, "2") + frame(PING, "3"), 3);
define("a ping whose length has two bytes", frame(PING, "x", { lengthSize: 2 }), 1);
for (const [kind, opcode] of [["ping", PING], ["pong", PONG]] as const) {
  defineLast(`a ${kind} of 126 bytes`, frame(opcode, "x".repeat(126)));
  defineLast(`a ${kind} of 64 KiB`, frame(opcode, "x".repeat(64 * KiB)));
  defineLast(`a ${kind} in two fragments`, frame(opcode, "one", { fin: false }) + frame(CONTINUATION, "two"));
  defineLast(`a ${kind} without a mask`, frame(opcode, "x", { masked: false }));
}

for (const opcode of [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG]) {
  for (const reserved of [1, 2, 4, 7]) {
    const payload = opcode === CLOSE ? number(1000, 2) : "x";
    defineLast(`opcode ${opcode} with reserved bits ${reserved}`, frame(opcode, payload, { reserved }));
  }
}
defineLast(
  "a second fragment with a reserved bit",
  frame(TEXT, "one", { fin: false }) + frame(CONTINUATION, "two", { reserved: 4 }),
);
for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
  defineLast(`reserved opcode ${opcode}`, frame(opcode, "x"));
  defineLast(`reserved opcode ${opcode} without a payload`, frame(opcode));
  defineLast(`reserved opcode ${opcode} between fragments`, fragments(TEXT, ["one", "two"], frame(opcode)));
}

const VALID: Record<string, string> = {
  "two bytes": utf8("é"),
  "three bytes": utf8("€"),
  "four bytes": utf8("🎛"),
  "all lengths": utf8("aé€🎛"),
  "the last code points of each length": utf8("\u007f\u07ff\uffff\u{10ffff}"),
  "the first code points of each length": utf8("\0\u0080\u0800\u{10000}"),
  "code points beside the surrogates": utf8("\ud7ff\ue000"),
  "a byte order mark": utf8("\ufeffx"),
  "noncharacters": utf8("\ufdd0\ufffe\u{1ffff}"),
  "a replacement character": utf8("\ufffd"),
};
const INVALID: Record<string, string> = {
  "a lone continuation byte": "\x80",
  "a start byte without the rest": "\xc3",
  "three bytes without the last one": "\xe2\x82",
  "four bytes without the last one": "\xf0\x9f\x8e",
  "a start byte before ASCII": "\xe2x",
  "an overlong slash in two bytes": "\xc0\xaf",
  "an overlong slash in three bytes": "\xe0\x80\xaf",
  "an overlong slash in four bytes": "\xf0\x80\x80\xaf",
  "an overlong NUL": "\xc0\x80",
  "a high surrogate": "\xed\xa0\x80",
  "a low surrogate": "\xed\xbf\xbf",
  "a pair of surrogates": "\xed\xa0\x80\xed\xb0\x80",
  "a code point beyond the last one": "\xf4\x90\x80\x80",
  "five bytes": "\xf8\x88\x80\x80\x80",
  "six bytes": "\xfc\x84\x80\x80\x80\x80",
  "FE": "\xfe",
  "FF": "\xff",
  "Latin-1": "gr\xfc\xdf",
};
for (const [what, text] of Object.entries(VALID)) {
  define(`UTF-8: ${what}`, frame(TEXT, text), 1);
  define(`UTF-8: ${what}, in fragments of one byte`, fragments(TEXT, [...text]), 1);
  define(`UTF-8: ${what}, in fragments of one byte, with pings`, fragments(TEXT, [...text], frame(PING)), text.length);
}
for (const [what, text] of Object.entries(INVALID)) {
  defineLast(`invalid UTF-8: ${what}`, frame(TEXT, text));
  defineLast(`invalid UTF-8: ${what}, at the end`, frame(TEXT, utf8("grüß 🎛 ") + text));
  defineLast(`invalid UTF-8: ${what}, at the start`, frame(TEXT, text + utf8(" grüß 🎛")));
  defineLast(`invalid UTF-8: ${what}, in fragments of one byte`, fragments(TEXT, [..."ab", ...text, "c"]));
  defineLast(`invalid UTF-8: ${what}, in the first of two fragments`, fragments(TEXT, [`a${text}`, "b"]));
  defineLast(`invalid UTF-8: ${what}, in the last of two fragments`, fragments(TEXT, ["a", `${text}b`]));
  define(`not UTF-8, but bytes: ${what}`, frame(BINARY, text), 1);
  defineLast(`a close whose reason is invalid UTF-8: ${what}`, close(1000, text));
}
defineLast(
  "a code point of which one half is in a fragment, and the other in a message of bytes",
  frame(TEXT, "\xc3", { fin: false }) + frame(BINARY, "\xa9"),
);

for (
  const code of [
    ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001, 3999, 4000, 4999],
    ...[0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535],
  ]
) {
  defineLast(`a close with code ${code}`, close(code));
  defineLast(`a close with code ${code} and a reason`, close(code, "because"));
}
defineLast("a close without a payload", frame(CLOSE));
defineLast("a close of one byte", frame(CLOSE, "\x03"));
defineLast("a close with a reason of 123 bytes", close(1000, "r".repeat(123)));
defineLast("a close with a reason of 124 bytes", close(1000, "r".repeat(124)));
defineLast("a close with a reason of UTF-8", close(1000, utf8("grüß 🎛")));
defineLast("a close in two fragments", frame(CLOSE, number(1000, 2), { fin: false }) + frame(CONTINUATION, "x"));
defineLast("a close without a mask", frame(CLOSE, number(1000, 2), { masked: false }));
defineLast("two closes", close(1000) + close(1001));
defineLast("a ping behind a close", close(1000) + frame(PING, "late"));
defineLast("a close behind half a message", frame(TEXT, "half", { fin: false }) + close(1000));

/** All cases. */
export const WEBSOCKET_CASES: readonly WebSocketCase[] = CASES;
