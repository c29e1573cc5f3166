/** Where this server should answer differently from a bare `Deno.serve`, and why: a model of its refusals and of its `request` dictionary. */

import type { Answer } from "./exchange.ts";
import type { Seen } from "./subjects.ts";

/** The default of parameter `maxBodySize`. */
const MAX_BODY_SIZE = 16 * 1024 * 1024;
/** Methods whose body Deno drops. */
const BODYLESS = ["GET", "HEAD"];
/** Methods that change nothing. */
const SAFE = ["GET", "HEAD", "OPTIONS"];
/** The fields and methods of the dictionary. */
const RESERVED = "method uri pars clientaddress serveraddress data headers signal raw text json formdata".split(" ");

/** A refusal of what the bare server answers. */
export interface Refusal {
  /** One sentence. */
  readonly why: string;
  readonly status: number;
  /** @param seen What the handler of the bare server saw */
  applies(seen: Seen): boolean;
}

/** A header of the `Request` that the dictionary shows otherwise. */
export interface HeaderDifference {
  /** One sentence. */
  readonly why: string;
  applies(name: string, bare: Seen, ours: Seen): boolean;
}

function header({ headers }: Seen, name: string): string | undefined {
  return headers.find((pair) => pair[0] === name)?.[1];
}

function itemsOf(seen: Seen, name: string): string[] {
  return (header(seen, name) ?? "").toLowerCase().split(",").map((item) => item.replace(/^[ \t]+|[ \t]+$/g, ""));
}

/** Host and port in the address that Deno puts together. */
function urlAuthority({ url = "" }: Seen): string {
  return /^[^:]*:\/\/([^/?#]*)/.exec(url)?.[1] ?? "";
}

/** A host and a port (RFC 3986, sections 3.2.2 and 3.2.3) that also the parser of addresses takes. */
function isHost(text: string): boolean {
  const grammar = /^(?:\[[\da-f:.]+\]|(?:[a-z\d._~!$&'()*+,;=-]|%[\da-f]{2})+)(?::\d*)?$/i;
  return grammar.test(text) && URL.canParse(`http://${text}`);
}

function asksForWebSocket(seen: Seen): boolean {
  return itemsOf(seen, "upgrade").includes("websocket");
}

/** Whether the page that sends a request is from the host that it asks, as far as that can be told without TLS. */
function isSameOrigin(seen: Seen, origin: string): boolean {
  if (origin === "file://") return true;
  const page = URL.parse(origin);
  if (page === null || !["http:", "https:"].includes(page.protocol)) return false;
  // Without one, Deno puts its own address there.
  const asked = header(seen, "host") ?? urlAuthority(seen).replace(/^localhost:\d+$/, "");
  return URL.parse(`${page.protocol}//${asked}`)?.host === page.host;
}

export const EARLY =
  "a refusal, or an announced length of 0, does not wait for the end of a body, which over HTTP/2 may never come";

/** Whether an answer does not depend on the body. The bare server waits for it before it shows anything. */
export function isEarly({ status, seen, text }: Answer): boolean {
  if (seen) return header(seen, "content-length") === "0";
  return REFUSALS.some((refusal) => refusal.status === status) && text.startsWith(`${status} `);
}

export const UNREAD =
  "behind the body of a GET or HEAD, Deno ends the connection unless the body has come by the time of the answer";

/** Whether a request has a body that Deno does not hand over. */
export function hasUnreadBody(seen: Seen): boolean {
  return BODYLESS.includes(seen.method) &&
    (header(seen, "transfer-encoding") ?? header(seen, "content-length") ?? "0") !== "0";
}

/** In the order in which they are looked for: the first one that applies is the answer. */
export const REFUSALS: readonly Refusal[] = [
  {
    why: "a WebSocket is opened with GET only",
    status: 405,
    applies: (seen) => asksForWebSocket(seen) && seen.method !== "GET",
  },
  {
    why: "a WebSocket handshake has Connection: Upgrade",
    status: 400,
    applies: (seen) => asksForWebSocket(seen) && !itemsOf(seen, "connection").includes("upgrade"),
  },
  {
    why: "a WebSocket handshake has version 13, which no mutated request has",
    status: 426,
    applies: asksForWebSocket,
  },
  {
    why: "pages of other origins may not change anything",
    status: 403,
    applies(seen) {
      const origin = header(seen, "origin");
      return !SAFE.includes(seen.method) && origin !== undefined && !isSameOrigin(seen, origin);
    },
  },
  {
    why: "a transfer coding that is not undone would pass for the body",
    status: 501,
    applies(seen) {
      const coding = header(seen, "transfer-encoding");
      return !BODYLESS.includes(seen.method) && coding !== undefined &&
        itemsOf(seen, "transfer-encoding").join() !== "chunked";
    },
  },
  {
    why: "a length that is not one exact number cannot be counted against a limit",
    status: 400,
    applies(seen) {
      if (BODYLESS.includes(seen.method) || header(seen, "content-length") === undefined) return false;
      const [first, ...others] = itemsOf(seen, "content-length");
      return !/^\d+$/.test(first!) || !Number.isSafeInteger(Number(first)) || others.some((other) => other !== first);
    },
  },
  {
    why: "a body that is announced larger than maxBodySize is not waited for",
    status: 413,
    applies: (seen) => !BODYLESS.includes(seen.method) && Number(itemsOf(seen, "content-length")[0]) > MAX_BODY_SIZE,
  },
  {
    why: "a body that does not arrive whole is the client's fault, not the server's",
    status: 400,
    applies: ({ fault }) => fault !== undefined,
  },
  {
    why: "a host that cannot be one would move the path in the address",
    status: 400,
    applies(seen) {
      const host = header(seen, "host") ?? "";
      return !isHost(urlAuthority(seen)) || (host !== "" && !isHost(host));
    },
  },
];

export const HEADER_DIFFERENCES: readonly HeaderDifference[] = [
  {
    why: "a header that is named like a field of the dictionary cannot pass for it",
    applies: (name, _bare, ours) => RESERVED.includes(name) && header(ours, name) === undefined,
  },
  {
    why: "the dictionary always has the host that is asked, whether by a header or by the target",
    applies: (name, bare, ours) =>
      name === "host" && header(bare, name) === undefined && header(ours, name) === urlAuthority(bare),
  },
];
