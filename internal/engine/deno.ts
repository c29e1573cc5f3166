/**
 * Workarounds for Deno, and every use of its private objects.
 *
 * Each has an id, such as P1. docs/deno.md says for each id what Deno does, what a user notices, which issue of denoland/deno is about it and
 * when the workaround can go. All were seen in Deno 2.9.6. A workaround that takes a file of its own, such as the reading of bodies, stands
 * there and names its id.
 */

// HEADERS OF ANSWERS

/**
 * Control characters, which no header value may have. P1, not reported: `Headers` accepts them, and Deno panics when it writes them, which
 * ends the process. Delete this when `Headers` refuses them, or Deno answers 500.
 */
// deno-lint-ignore no-control-regex -- control characters are what it looks for
export const UNSENDABLE = /[\x00-\x08\x0a-\x1f\x7f]/;

const FROZEN = { set() {}, append() {}, delete() {} };

/** P1: keeps headers as they were checked. User code may hold on to them, and Deno reads them later. */
export function freezeHeaders(headers: Headers): void {
  Object.assign(headers, FROZEN);
}

/**
 * The body of an answer to HEAD. H1, denoland/deno#19605: over HTTP/2, Deno sends whatever body it is given; over HTTP/1.1 it takes the
 * absence of a body for a length of 0, which is wrong if the length is not known. Delete this when Deno leaves out the body of a HEAD.
 *
 * @param lengthKnown Whether the answer has a `content-length`
 */
export function bodyOfHead(lengthKnown: boolean): ReadableStream | null {
  return lengthKnown ? null : new ReadableStream({ start: (controller) => controller.close() });
}

// PRIVATE OBJECTS. Each is found by its shape and must agree with the public one, which is used if it is absent: in another Deno, or if a
// program made the object itself.

/** Deno's own request object, which hangs on the `Request` under a symbol. */
interface HeaderSource {
  header(name: string): string | null;
  /** `streamOrStatic` is a stream, or has the bytes as its `body` if all of them have arrived. */
  readonly body?: { readonly streamOrStatic?: ReadableStream | { readonly body?: unknown; consumed?: boolean } } | null;
}

type Peekable = Record<symbol, HeaderSource | undefined>;

let source: symbol | undefined;
/** How many requests are still searched for it: a program may have made the first ones. */
let searches = 8;

/** The symbol of Deno's request object, if that reads headers as `Headers` does. */
function find(request: Request): symbol | undefined {
  return Object.getOwnPropertySymbols(request).find((symbol) => {
    const candidate = (request as unknown as Peekable)[symbol];
    return typeof candidate?.header === "function" &&
      ["host", "user-agent", "x-absent"].every((name) => candidate.header(name) === request.headers.get(name));
  });
}

function innerOf(request: Request): HeaderSource | undefined {
  if (source === undefined && searches > 0) {
    searches--;
    source = find(request);
  }
  return source && (request as unknown as Peekable)[source];
}

/**
 * The value of a header, several of that name joined, or null. C1, not reported: once `Request.headers` has been touched, Deno copies all
 * headers and answers by way of three promises, which costs a small answer a tenth of its throughput or more. `Upgrade` is read of each request.
 * Delete this when `headers.get` costs no more than this.
 */
export function headerOf(request: Request, lowerCaseName: string): string | null {
  const inner = innerOf(request);
  return inner?.header ? inner.header(lowerCaseName) : request.headers.get(lowerCaseName);
}

/**
 * Takes the body of a request if all of it has arrived, as most small ones have; undefined if it has to be read from `Request.body`. C8, not
 * reported: as a stream, such a body costs several times as much. Delete this when `Request.bytes()` costs no more.
 */
export function takeArrivedBody(request: Request): Uint8Array<ArrayBuffer> | undefined {
  const arrived = innerOf(request)?.body?.streamOrStatic;
  if (arrived === undefined || arrived instanceof ReadableStream || arrived.consumed !== false) return undefined;
  if (!(arrived.body instanceof Uint8Array) || !(arrived.body.buffer instanceof ArrayBuffer)) return undefined;
  arrived.consumed = true;
  return arrived.body as Uint8Array<ArrayBuffer>;
}

/** Whether Deno made the request, so that its body is what came over the connection. Only such a request has the private object as searched for. */
export function isMadeByDeno(request: Request): boolean {
  return innerOf(request)?.header !== undefined;
}

/** Whether a request came over HTTP/2: Deno does not say, but there the host is not in a header. A client may send that too. */
export function isHTTP2(request: Request): boolean {
  return headerOf(request, "host") === null;
}

type Pairs = readonly (readonly [string, string])[];

let list: symbol | undefined;
let listSearches = 8;

/** The symbol of the list behind `Headers`, if it has what an iteration has. */
function findList(headers: Headers): symbol | undefined {
  const sorted = (pairs: Pairs) => JSON.stringify(pairs.map(([name, value]) => [name.toLowerCase(), value]).sort());
  const expected = sorted([...headers]);
  return Object.getOwnPropertySymbols(headers).find((symbol) => {
    const candidate = (headers as unknown as Record<symbol, unknown>)[symbol];
    return Array.isArray(candidate) && candidate.length > 0 && candidate.every((pair) => Array.isArray(pair)) &&
      sorted(candidate as unknown as Pairs) === expected;
  });
}

/**
 * Names, in any letter case, and values; several of one name come each or joined. C2, not reported: to iterate over the `Headers` of an
 * answer costs half as much as all else that sends it. Delete this when an iteration no longer sorts and joins what it was given.
 */
export function pairsOf(headers: Headers): Iterable<readonly [string, string]> {
  if (list === undefined && listSearches > 0) {
    listSearches--;
    list = findList(headers);
  }
  const pairs = list && (headers as unknown as Record<symbol, Pairs | null | undefined>)[list];
  // An empty list may be one that Deno has not filled yet.
  return pairs?.length ? pairs : headers;
}

/** Where Deno keeps the body of a `Response`: a text under one of these symbols, anything else in the inner response. */
interface Bodies {
  readonly texts: symbol[];
  readonly inner: symbol;
}

/** `streamOrStatic` is the stream, or has the text or the bytes as its `body`. */
type InnerResponse =
  | { body: { streamOrStatic: ReadableStream | { body: string | Uint8Array<ArrayBuffer> } } | null }
  | undefined;

let bodies: Bodies | null | undefined;

function findBodies(): Bodies | null {
  const text = "a text to look for";
  const stream = new ReadableStream();
  const [ofText, ofStream] = [new Response(text), new Response(stream)] as unknown as Record<symbol, unknown>[];
  const texts = Object.getOwnPropertySymbols(ofText!).filter((symbol) => ofText![symbol] === text);
  const inner = Object.getOwnPropertySymbols(ofStream!)
    .find((symbol) => (ofStream![symbol] as InnerResponse)?.body?.streamOrStatic === stream);
  return inner && texts.length > 0 ? { texts, inner } : null;
}

/**
 * What the body of a `Response` was made of: a text, bytes or a stream. C3, by the Fetch standard: to read `Response.body` turns any body
 * into a stream, which costs twice as much to send. Delete this when there is a public way to ask whether a body is a stream.
 */
export function contentOf(response: Response): string | Uint8Array<ArrayBuffer> | ReadableStream | null {
  bodies ??= findBodies();
  if (bodies === null) return response.body;
  const properties = response as unknown as Record<symbol, unknown>;
  for (const symbol of bodies.texts) {
    const text = properties[symbol];
    if (typeof text === "string") return text;
  }
  const body = (properties[bodies.inner] as InnerResponse)?.body?.streamOrStatic;
  if (body === undefined) return null;
  return body instanceof ReadableStream ? body : body.body;
}

// TURNS OF THE EVENT LOOP

/** Turns of the event loop, after which Deno has seen what has come over the network, and has sent what it was given. */
export async function turns(count = 1): Promise<void> {
  for (; count > 0; count--) await new Promise((resolve) => setTimeout(resolve, 0));
}

/**
 * Turns from `info.completed` until the answer is on the connection. S1, nearest denoland/deno#23678: `completed` resolves when the request is over, and
 * what cuts the connection then cuts the answer. Delete this when `completed` waits for the answer to be written.
 */
export const ANSWER_TURNS = 2;

/** Turns in which Deno sees that the client of a handshake is gone: two suffice. */
const DEPARTURE_TURNS = 3;
/** Quick turns after them, for a client that left during the last of those: one takes a fraction of a millisecond. */
const QUICK_TURNS = 5;

const byte = new Uint8Array(1);

/** One turn in a fraction of the time of a timer: it waits for another thread, and Deno sees meanwhile what has come over the network. */
async function quickTurn(): Promise<void> {
  await crypto.subtle.digest("SHA-1", byte);
}

/**
 * Whether the client of a handshake is gone, as far as Deno can see it in some turns of the event loop. L1, not reported: if a client is
 * gone before Deno writes the 101, a file descriptor stays open for good, and the socket has no event. Delete this when Deno closes the
 * connection of such a client.
 */
export async function hasLeft({ signal }: Request): Promise<boolean> {
  for (let turn = 0; turn < DEPARTURE_TURNS && !signal.aborted; turn++) await turns();
  for (let turn = 0; turn < QUICK_TURNS && !signal.aborted; turn++) await quickTurn();
  return signal.aborted;
}

// WEBSOCKETS

/**
 * Upgrades a request. Nothing may fail after it: L3, denoland/deno#22333: Deno stops listening if the handler then throws, or returns
 * another answer.
 *
 * W1: no warning about `request.signal`, which Deno has printed from within this call since 2.9.0 (denoland/deno#34397) if the signal of the
 * request was read, as `hasLeft()` does. Delete that part when the signal no longer aborts after each answer (denoland/deno#35733).
 *
 * P2, not reported: never a `Blob` on a socket. If its peer resets, Deno panics. Delete this when Deno looks at the state of the socket
 * after it has read the `Blob`.
 */
export function upgradeWebSocket(request: Request, idleTimeout: number): Deno.WebSocketUpgrade {
  const { warn } = console;
  console.warn = () => {};
  try {
    const upgrade = Deno.upgradeWebSocket(request, { idleTimeout });
    upgrade.socket.binaryType = "arraybuffer";
    return upgrade;
  } finally {
    console.warn = warn;
  }
}

/**
 * What a message that waits for its client costs beside its data, in bytes. W2, not reported: Deno holds about a kilobyte for each, and
 * `bufferedAmount` does not count it. Delete this when Deno keeps waiting messages in one buffer.
 */
export const MESSAGE_COST = 1024;

/**
 * Bytes as Deno sends them fastest. C4, not reported: it copies a view, and a whole buffer of 64 KiB costs a third of that or less. Delete
 * this when Deno sends a view without a copy.
 */
export function fastest(bytes: ArrayBufferView<ArrayBuffer>): ArrayBuffer | ArrayBufferView<ArrayBuffer> {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes.buffer : bytes;
}

/** What Deno's WebSocket throws if a text is too long for a string of V8 (512 MiB), where nobody can catch it. */
function isTextTooLong(error: unknown): boolean {
  return error instanceof TypeError && error.message.startsWith("failed to allocate string") &&
    (error.stack?.includes("ext:deno_websocket/") ?? false);
}

let guarded = false;

/**
 * Keeps the process when a client sends a text message of more than 512 MiB in fragments. L4, nearest denoland/deno#15809: Deno puts it
 * together before anybody can refuse it (D2), and rejects a promise of its own. Its connection ends by `idleTimeout`. Any other unhandled
 * rejection does what it always does. Delete this when Deno bounds the size of a message.
 */
export function surviveLongTexts(): void {
  if (guarded) return;
  guarded = true;
  globalThis.addEventListener("unhandledrejection", (event) => {
    if (isTextTooLong(event.reason)) event.preventDefault();
  });
}

// LISTENING

/**
 * What to listen on for all interfaces, in the order to try. S2, denoland/deno#36168: on Windows, Deno's `::` takes no IPv4 clients. Elsewhere a
 * machine may have no IPv6. Delete the first case when Deno listens on both there.
 */
export function wildcards(): string[] {
  return Deno.build.os === "windows" ? ["0.0.0.0"] : ["::", "0.0.0.0"];
}

/** Milliseconds to wait before listening again, at first and at most. */
const RETRY = 50;
const MAX_RETRY = 1_000;

/** A `Deno.serve`, and what ends it. Never by `shutdown()`: L6, an `abort()` after it ends the process. */
export interface Accepting {
  readonly server: Deno.HttpServer<Deno.NetAddr>;
  readonly abort: AbortController;
}

/**
 * Keeps a listener open until it is closed. L2, nearest denoland/deno#10148: if a connection cannot be accepted for want of file descriptors,
 * `Deno.serve` ends; its connections go on. So another one is opened as soon as there are descriptors again. Delete this when Deno waits and
 * accepts again by itself.
 *
 * @param open Opens another one on the same address
 * @param onEnd Called for each that has ended by itself
 * @returns Closes them, and every connection that they have
 */
export function keepAccepting(
  first: Accepting,
  open: () => Accepting,
  onEnd: (error: Error) => void,
): () => Promise<void> {
  const all: Accepting[] = [];
  let closed = false;
  let retry: ReturnType<typeof setTimeout> | undefined;
  const add = (accepting: Accepting) => {
    all.push(accepting);
    accepting.server.finished.catch((error) => {
      if (closed) return;
      onEnd(error);
      again(RETRY);
    });
  };
  const again = (wait: number) => {
    retry = setTimeout(() => {
      try {
        add(open());
      } catch {
        again(Math.min(wait * 2, MAX_RETRY));
      }
    }, wait);
  };
  add(first);
  return async () => {
    closed = true;
    clearTimeout(retry);
    for (const { abort } of all) abort.abort();
    await Promise.allSettled(all.map(({ server }) => server.finished));
  };
}

// THE PROCESS

/** Sizes in bytes. glibc adapts only to blocks of up to 32 MiB, and V8 collects garbage after 64 MiB of new buffers. */
const ADAPTED = 31 * 1024 * 1024;
const KEPT = [30 * 1024 * 1024, 30 * 1024 * 1024];
const PIN = 2 * 1024 * 1024;

let pin: ArrayBuffer | undefined;

/**
 * Has glibc keep freed memory for the next buffers; to be called before the first that may be large. C5, denoland/deno#35789: V8's garbage
 * collector frees buffers many at a time; glibc would give that memory back to the system, and get it again page by page: messages of 64 KiB
 * are then echoed at half the speed or less, and bodies of 1 MiB are sent at a tenth of it.
 *
 * glibc takes buffers from the heap if they are smaller than the largest one that was freed (mallopt(3), M_MMAP_THRESHOLD), so one is made and
 * freed. It returns only memory at the end of the heap, so two large buffers are freed, and a small one behind them stays. None of these
 * pages is used before it is needed. The environment variables MALLOC_TRIM_THRESHOLD_=67108864 and MALLOC_MMAP_THRESHOLD_=32505856 do nearly
 * the same, but have to be set before the program starts. Delete this when Deno pools its buffers, as that pull request does.
 */
export function keepFreedMemory(): void {
  if (pin || Deno.build.os !== "linux") return;
  pin = new ArrayBuffer(0);
  try {
    free(new ArrayBuffer(ADAPTED));
    const room = KEPT.map((size) => new ArrayBuffer(size));
    pin = new ArrayBuffer(PIN);
    room.forEach(free);
  } catch {
    // The process may not have that much memory.
  }
}

/**
 * Frees the memory of a buffer that nobody reads any more. C10, nearest denoland/deno#35789: V8 frees a buffer when it next collects garbage, tens
 * of megabytes later, so each new buffer is memory that no cache holds: texts of 1 MiB then cost a third more to send. Bytes that Deno is
 * still sending stay until they are sent. Delete this when Deno pools its buffers, as that pull request does.
 */
export function free(buffer: ArrayBuffer): void {
  buffer.transfer(0);
}

/**
 * A module of Node that is loaded when it is first needed. C6, nearest denoland/deno#34450: a static import of one loads `node:process` and
 * what belongs to it, and would double the time that each server takes to start. Delete this when such an import costs no more than others.
 */
export function builtin<Name extends "node:crypto" | "node:net" | "node:url" | "node:util">(name: Name) {
  // deno-lint-ignore no-process-global -- so would an import of node:process
  return process.getBuiltinModule(name);
}
