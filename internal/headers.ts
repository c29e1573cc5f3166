/**
 * Reading one header of a request without making its `Headers`.
 *
 * Every request is asked for `Upgrade`. Once `Request.headers` has been touched, the runtime copies all headers and answers by
 * way of three promises, which costs a small answer a tenth of its throughput. The runtime's own request object, which hangs on the
 * `Request` under a symbol, reads one header alone. That object is no public API: it is found by its shape, must agree with
 * `Headers`, and where it is absent (another Deno, a `Request` made by hand) `Headers` serves.
 */

interface HeaderSource {
  header(name: string): string | null;
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

/** The value of a header, several of that name joined, or null. */
export function headerOf(request: Request, lowerCaseName: string): string | null {
  if (source === undefined && searches > 0) {
    searches--;
    source = find(request);
  }
  const inner = source && (request as unknown as Peekable)[source];
  return inner?.header ? inner.header(lowerCaseName) : request.headers.get(lowerCaseName);
}
