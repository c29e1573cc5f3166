/** The dictionaries that callbacks get and return. */

/** What `request` has beside the headers. */
export interface RequestFields {
  /** The method as sent: `"GET"`, `"POST"`... */
  readonly method: string;
  /** The path as sent: without the query, not decoded. */
  readonly uri: string;
  /** The query, decoded. Of a name that occurs more than once, the last value. Empty without a query. */
  readonly pars: Readonly<Record<string, string>>;
  /**
   * Who asks: `"192.168.0.7:50112"`, `"[fe80::1]:50112"`. Behind a proxy of parameter `trustedProxies`, the address that it forwards.
   * On a Unix socket of `deno serve`, `"unix:"` and a number of its own.
   */
  readonly clientAddress: string;
  /**
   * The address asked, in the form of `clientAddress`. Advisory where the server listens on all interfaces: the runtime
   * does not tell which one the request came in by, so it is the `Host` header if that is an IP address, else loopback for
   * a client on loopback, else the address listened on. Where only `deno serve` knows that (on a Unix socket, and in all but the first
   * worker of `--parallel`), the port is the one of the `Host` header.
   */
  readonly serverAddress: string;
  /**
   * The body. Empty without one, for `GET`, `HEAD` and `CONNECT`, whose bodies the runtime drops, and with parameter `body` set to
   * `"stream"`. It is yours to keep.
   */
  readonly data: Uint8Array<ArrayBuffer>;
  /** The headers as the web platform has them. */
  readonly headers: Headers;
  /** The body as text, decoded from UTF-8. */
  text(): Promise<string>;
  /**
   * The body parsed as JSON, nested up to 1,000 deep. If the callback lets an error of it pass, the answer is 400, or 413.
   *
   * @throws {SyntaxError} (rejects) If the body is not JSON
   * @throws {Error} (rejects) If it is nested deeper, or needs more than `maxBodyMemory`
   */
  // deno-lint-ignore no-explicit-any -- as `Request.json()` of the web platform
  json(): Promise<any>;
  /**
   * The body parsed as a form, `multipart/form-data` or `application/x-www-form-urlencoded`. If the callback lets an error of it pass,
   * the answer is 400, or 413.
   *
   * @throws {TypeError} (rejects) If the body is not a whole form
   * @throws {Error} (rejects) If it has more than `maxFormFields` fields and files
   */
  formData(): Promise<FormData>;
  /** Aborts when the client is gone, and when the server stops; in Deno 2 also when the answer has been delivered. */
  readonly signal: AbortSignal;
  /**
   * The Fetch `Request` underneath. Its body is already taken: it is `data`, unless parameter `body` is `"stream"`, when it is to be read
   * from here, or by `text()`, `json()` or `formData()`. The limits hold for what is read by it: a new `Request` made of it, as by
   * `fetch(raw)`, goes past them, so hand on `raw.body`.
   */
  readonly raw: Request;
}

/**
 * The `request` dictionary: the fields, and every request header under its name in any letter case:
 * `request["Authorization"]`, `"content-type" in request`. A field wins over a header of its name in any letter case, which is
 * not there: `request["clientaddress"]` is undefined, whatever a client sends.
 *
 * `Object.keys()`, `JSON.stringify()` and a spread see `method`, `uri`, `pars`, `clientAddress`, `serverAddress`, the
 * headers in lower case, and `data`. It is read-only, and lazy: what is not read costs nothing. Read what you need before
 * the answer is given; the runtime forgets the rest then.
 *
 * The first use of `uri`, `pars` or `raw` ends the callback with the answer 400 when the `Host` header is no host, since
 * such a header would change the path.
 */
export type RequestDictionary = RequestFields & { readonly [header: string]: string | undefined };

/**
 * What `response.data` may be. Strings go out as UTF-8, plain objects and lists as JSON; streams are of bytes, and are sent as they come.
 * Bytes are not copied: do not change them until the answer is sent.
 */
export type ResponseData =
  | string
  | Uint8Array
  | ArrayBuffer
  | Blob
  | ReadableStream<Uint8Array>
  | readonly JSONValue[]
  | { readonly [key: string]: JSONValue };

/** What is sent as JSON. Properties that are `undefined` are left out. */
export type JSONValue =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly JSONValue[]
  | { readonly [key: string]: JSONValue };

/** The value of a response header. A list sends the header once for each of its items. */
export type HeaderValue = string | number | boolean | readonly (string | number | boolean)[];

/**
 * The `response` dictionary. It starts as 404, `"Not Found"`, `""`; every further key is sent as a header, whatever its
 * letter case. The later one of two keys that differ in letter case only is sent; a key set to `undefined` is not.
 *
 * A string without a `Content-Type` is sent as `text/html; charset=utf-8` if it starts with `<` (white space and a byte order mark in
 * front do not count), else as `text/plain; charset=utf-8`; plain objects and lists as `application/json`. With these types goes
 * `X-Content-Type-Options: nosniff`, unless the dictionary has that header. Bytes and streams without a `Content-Type` are sent without
 * one, a `Blob` with its own. The body is not sent where HTTP has none: with 204, 205 and 304, and to `HEAD`.
 *
 * With status 200, a request for one part (`Range`) of a string, bytes or a Blob is answered with that part, and status 206, unless
 * `Accept-Ranges` is `none` (RFC 9110, section 14).
 *
 * Header values go out as UTF-8; `Location` and `Content-Location` are percent-encoded where they need it. `Content-Length` is the
 * server's own wherever the length of the body is known.
 */
export interface ResponseDictionary {
  /** 200 to 599. */
  statusCode: number;
  /** A habit of the operator. The runtime puts no reason phrase of ours on the wire. */
  statusReason: string;
  /** The body. */
  data: ResponseData;
  /** More headers: another way to set them, for those who look for it. */
  headers?: Headers | Readonly<Record<string, HeaderValue | undefined>>;
  /** Not a field: it is `statusCode`. */
  status?: never;
  /** Not a field: it is `statusCode`. */
  statuscode?: never;
  /** Not a field: it is `statusReason`. */
  statusText?: never;
  /** Not a field: it is `data`. */
  body?: never;
  /** Any other key is a header. */
  [header: string]:
    | HeaderValue
    | ResponseData
    | Headers
    | Readonly<Record<string, HeaderValue | undefined>>
    | undefined;
}

/** What `onHTTPRequest` may return: a response dictionary (absent fields keep their defaults), a Fetch `Response`, nothing. */
export type HTTPAnswer = Partial<ResponseDictionary> | Response | void;
