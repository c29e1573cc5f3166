/**
 * Reading headers without the copies that `Headers` makes, and bodies without making streams of them.
 *
 * One header of a request is read without making its `Headers`, and those of a response without iterating over them, which costs as
 * much as all else does of sending a small file.
 *
 * Every request is asked for `Upgrade`. Once `Request.headers` has been touched, the runtime copies all headers and answers by
 * way of three promises, which costs a small answer a tenth of its throughput. The runtime's own request object, which hangs on the
 * `Request` under a symbol, reads one header alone. That object is no public API: it is found by its shape, must agree with
 * `Headers`, and where it is absent (another Deno, a `Request` made by hand) `Headers` serves.
 */

interface HeaderSource {
  header(name: string): string | null;
  /** `streamOrStatic` is a stream, or has the bytes as its `body` if all of them have arrived. */
  readonly body?: { readonly streamOrStatic?: ReadableStream | { readonly body?: unknown; consumed?: boolean } } | null;
}

type Peekable = Record<symbol, HeaderSource | undefined>;

let source: symbol | undefined;
/** How many requests are still searched for it: the first ones may be made by hand. */
let searches = 8;

/** The symbol of the runtime's request object, if it reads headers as `Headers` does. */
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

/** The value of a header, several of that name joined, or null. */
export function headerOf(request: Request, lowerCaseName: string): string | null {
  const inner = innerOf(request);
  return inner?.header ? inner.header(lowerCaseName) : request.headers.get(lowerCaseName);
}

/**
 * Takes the body of a request if all of it has arrived, which most small ones have: as a stream it costs several times as much. Undefined
 * if it has to be read from `Request.body`.
 */
export function takeArrivedBody(request: Request): Uint8Array<ArrayBuffer> | undefined {
  const arrived = innerOf(request)?.body?.streamOrStatic;
  if (arrived === undefined || arrived instanceof ReadableStream || arrived.consumed !== false) return undefined;
  if (!(arrived.body instanceof Uint8Array) || !(arrived.body.buffer instanceof ArrayBuffer)) return undefined;
  arrived.consumed = true;
  return arrived.body as Uint8Array<ArrayBuffer>;
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

/** Names, in any letter case, and values; of those that are there several times, each or all joined. */
export function pairsOf(headers: Headers): Iterable<readonly [string, string]> {
  if (list === undefined && listSearches > 0) {
    listSearches--;
    list = findList(headers);
  }
  const pairs = list && (headers as unknown as Record<symbol, Pairs | null | undefined>)[list];
  // Where there is nothing, it may not have been made yet.
  return pairs?.length ? pairs : headers;
}

/** Whether a request came over HTTP/2, as a rule: there the host is not in a header, but a client may send that too. */
export function isHTTP2(request: Request): boolean {
  return headerOf(request, "host") === null;
}

/** Where Deno keeps the body of a `Response`: in one of these as a text, or in the body of the inner response. */
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

/** The body of a `Response`: what it was made of, or a stream. To read `Response.body` makes a stream of any body. */
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
