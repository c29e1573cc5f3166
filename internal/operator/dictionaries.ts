/** The dictionaries that callbacks receive and return. */

/** The fields of `request`, in addition to the headers. */
export interface RequestFields {
  /** The method as sent: `"GET"`, `"POST"`... */
  readonly method: string;
  /** The path as sent: without the query, not decoded. */
  readonly uri: string;
  /** The query parameters, decoded. If a name occurs more than once, the last value counts. Empty without a query. */
  readonly pars: Readonly<Record<string, string>>;
  /**
   * The client's address: `"192.168.0.7:50112"`, `"[fe80::1]:50112"`. Behind a proxy that parameter `trustedProxies` lists, the address
   * that the proxy forwards. On a Unix socket of `deno serve`, `"unix:"` and a unique number.
   */
  readonly clientAddress: string;
  /**
   * The address that the request was sent to, in the form of `clientAddress`. Only a guess if the server listens on all
   * interfaces, since Deno does not say which one a request came in by: the `Host` header if that is an IP address, else
   * loopback for a client on loopback, else the address listened on. If only `deno serve` knows where it listens (on a Unix socket, and
   * in all but the first worker of `--parallel`), the port is that of the `Host` header.
   */
  readonly serverAddress: string;
  /**
   * The body. Empty if the request has no body, for `GET`, `HEAD` and `CONNECT`, whose bodies Deno drops, and if parameter `body` is
   * `"stream"`. It is yours to keep.
   */
  readonly data: Uint8Array<ArrayBuffer>;
  /** The headers as a Fetch `Headers` object. */
  readonly headers: Headers;
  /** The body as text, decoded from UTF-8. */
  text(): Promise<string>;
  /**
   * The body parsed as JSON, nested up to 1,000 levels deep. If the callback does not catch an error of this method, the answer is 400,
   * 413 or 503.
   *
   * @throws {SyntaxError} (rejects) If the body is not JSON
   * @throws {Error} (rejects) If it is nested deeper, or needs more than `maxBodyMemory`
   */
  // deno-lint-ignore no-explicit-any -- as `Request.json()` of the web platform
  json(): Promise<any>;
  /**
   * The body parsed as a form, `multipart/form-data` or `application/x-www-form-urlencoded`. If the callback does not catch an error of
   * this method, the answer is 400 or 413.
   *
   * @throws {TypeError} (rejects) If the body is not a complete form
   * @throws {Error} (rejects) If it has more than `maxFormFields` fields and files
   */
  formData(): Promise<FormData>;
  /** Aborts when the client disconnects and when the server stops; in Deno 2, also when the answer has been delivered. */
  readonly signal: AbortSignal;
  /**
   * The underlying Fetch `Request`. Its body has already been read into `data`, unless parameter `body` is `"stream"`: then read it from
   * here, or with `text()`, `json()` or `formData()`. The limits apply to a body that is read from this object. A new `Request` made
   * from it, as in `fetch(raw)`, bypasses them, so pass on `raw.body`.
   */
  readonly raw: Request;
}

/**
 * The `request` dictionary: the fields, and every request header under its name in any letter case:
 * `request["Authorization"]`, `"content-type" in request`. A header with the name of a field, in any letter case, is left out:
 * `request["clientaddress"]` is undefined, whatever a client sends.
 *
 * `Object.keys()`, `JSON.stringify()` and a spread see `method`, `uri`, `pars`, `clientAddress`, `serverAddress`, the
 * headers in lower case, and `data`. It is read-only and lazy: a field that you do not read costs nothing. Read what you
 * need before you answer; afterwards Deno has forgotten the rest.
 *
 * The first use of `uri`, `pars` or `raw` aborts the callback with a 400 if the `Host` header is invalid, since such a
 * header would change the path.
 */
export type RequestDictionary = RequestFields & { readonly [header: string]: string | undefined };

/**
 * The types of `response.data`. Strings are sent as UTF-8, plain objects and lists as JSON; streams must be of bytes, and are sent as they
 * come. Bytes are not copied, so do not change them until the answer has been sent.
 */
export type ResponseData =
  | string
  | Uint8Array
  | ArrayBuffer
  | Blob
  | ReadableStream<Uint8Array>
  | readonly JSONValue[]
  | { readonly [key: string]: JSONValue };

/** A value that can be sent as JSON. Properties that are `undefined` are left out. */
export type JSONValue =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly JSONValue[]
  | { readonly [key: string]: JSONValue };

/** The value of a response header. A list sends the header once for each item. */
export type HeaderValue = string | number | boolean | readonly (string | number | boolean)[];

/**
 * The `response` dictionary. It starts as 404, `"Not Found"`, `""`; every other key is sent as a header, whatever its letter
 * case. If two keys differ only in letter case, the later one is sent; a key set to `undefined` is not sent.
 *
 * A string without a `Content-Type` is sent as `text/html; charset=utf-8` if it starts with `<` (after any white space and byte order
 * mark), else as `text/plain; charset=utf-8`; plain objects and lists as `application/json`. These types come with
 * `X-Content-Type-Options: nosniff`, unless the dictionary has that header. Bytes and streams without a `Content-Type` are sent without
 * one, a `Blob` with its own type. The body is not sent if HTTP does not allow one: with 204, 205 and 304, and in answer to `HEAD`.
 *
 * With status 200, a request for one part (`Range`) of a string, bytes or a Blob is answered with that part, and status 206, unless
 * `Accept-Ranges` is `none` (RFC 9110, section 14).
 *
 * Header values are sent as UTF-8; `Location` and `Content-Location` are percent-encoded where necessary. The server sets
 * `Content-Length` itself whenever it knows the length of the body.
 */
export interface ResponseDictionary {
  /** 200 to 599. */
  statusCode: number;
  /** Exists in the operator. It is not sent: Deno always writes the standard phrase of the status. */
  statusReason: string;
  /** The body. */
  data: ResponseData;
  /** More headers: an alternative to setting them as keys of the dictionary. */
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
