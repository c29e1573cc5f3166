/** Receiving request bodies within limits of size, memory, time and work. */

import { refusal } from "./answer.ts";
import type { Bodies } from "./bodies.ts";
import { bodyOf, type BodyReader, readerOf } from "./body_reader.ts";
import { Chunks } from "./chunks.ts";
import type { Progress } from "./deadlines.ts";
import { ANSWER_TURNS, headerOf, isHTTP2, keepFreedMemory, takeArrivedBody, turns } from "./deno.ts";
import { badRequest, type Fault, faultOf } from "./fault.ts";
import { numberIn, trimmed } from "./header_values.ts";
import type { Limits } from "./limits.ts";
import { parseForm, parseJSON } from "./parsing.ts";

/** Bytes a second that a body must average once `requestTimeout` is over: slow clients are served, but not one that only drips. */
const LOWEST_RATE = 512;
/** Chunks of a body of unknown length that may have any size. Further chunks must average at least `AVERAGE_CHUNK` bytes. */
const FREE_CHUNKS = 1024;
const AVERAGE_CHUNK = 256;
/** Chunks below this size, in bytes, are small: see `Bodies`. */
const SMALL_CHUNK = 4096;
/**
 * Bytes of a body that are still read, and dropped, after a refusal: many clients look at the answer only when they have sent everything. A
 * body of known length that is no larger than a film is read to its end; any other may be endless.
 */
const READ_ON = 16 * 1024 * 1024;
const FILM = 1024 * 1024 * 1024;
const NOT_WHOLE = "The body is incomplete";
const NO_BYTES = "Cannot read the body: its stream has a chunk that is not a Uint8Array";
const ANSWERED = "The request was refused, so the rest of its body is not read";

/** The body of one request. */
export class RequestBody {
  /** When the last chunk arrived. Each chunk extends the deadline of a callback that reads the body. */
  readonly progress: Progress;
  readonly #request: Request;
  readonly #info: Deno.ServeHandlerInfo | undefined;
  /** Aborts when the server begins to stop. */
  readonly #stopped: AbortSignal;
  readonly #bodies: Bodies;
  readonly #limits: Limits;
  /** The announced length; NaN if it is malformed. Deno refuses one beside a `Transfer-Encoding`, and enforces it for an HTTP/1.1 body. */
  readonly #length: number | undefined;
  #reader: BodyReader | null | undefined;
  #size = 0;
  #chunks = 0;
  #smallChunks = 0;
  /** Milliseconds that reads have waited so far. */
  #waited = 0;
  #used = false;
  #ended = false;
  #stalled = false;
  #claimed = 0;
  /** Reads of the whole body that are under way. */
  #readings = 0;
  /** The answer has been given. */
  #released = false;
  /** The request was refused: the rest of the body is dropped. */
  #refused = false;
  /** A read failed, so the callback cannot read on. */
  #failed = false;
  #bytes: Promise<Uint8Array<ArrayBuffer>> | undefined;
  #stream: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;

  constructor(request: Request, info: Deno.ServeHandlerInfo | undefined, stopped: AbortSignal, bodies: Bodies) {
    this.#request = request;
    this.#info = info;
    this.#stopped = stopped;
    this.#bodies = bodies;
    this.#limits = bodies.settings.limits;
    this.progress = bodies.deadlines.progress();
    const length = headerOf(request, "content-length");
    if (length !== null) this.#length = numberIn(length);
  }

  /** Whether the body is empty. HTTP/2 needs no Content-Length, so only an explicit 0 means "no body". */
  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Why the body is refused, as far as that is known before it arrives. */
  fault(): Fault | undefined {
    if (Number.isNaN(this.#length)) return { status: 400, detail: "The Content-Length header is not a single number" };
    return faultOf(this.#sizeError(this.#length ?? 0));
  }

  /** Whether the body is in a transfer coding that Deno does not decode (H4; RFC 9112, section 6.1). */
  get isCoded(): boolean {
    const coding = headerOf(this.#request, "transfer-encoding");
    return coding !== null && trimmed(coding).toLowerCase() !== "chunked";
  }

  /** The whole body. Counts as memory in use until `release()`. */
  bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#bytes ??= this.#counted(() => this.#collect());
  }

  /**
   * The whole body, without waiting, if it has arrived already. Counts as memory in use until `release()`.
   *
   * @throws {Error} 413 or 503 if it goes over a limit
   */
  takeArrived(): Uint8Array<ArrayBuffer> | undefined {
    const bytes = takeArrivedBody(this.#request);
    if (bytes === undefined) return undefined;
    this.#used = this.#ended = true;
    const error = this.#sizeError(bytes.length);
    if (error) throw error;
    this.#claim(bytes.length);
    this.#bytes = Promise.resolve(bytes);
    return bytes;
  }

  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes());
  }

  async json(): Promise<unknown> {
    return await this.#counted(async () => parseJSON(await this.bytes(), (bytes) => this.#claim(bytes)));
  }

  async formData(): Promise<FormData> {
    return await parseForm(
      await this.bytes(),
      headerOf(this.#request, "content-type"),
      this.#limits.maxFormFields,
    );
  }

  /** The body as a stream, which ends in an error if it goes over a limit. Null if there is none. */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    if (this.#open(true) === undefined) return null;
    if (this.#bytes) throw new TypeError("Cannot read the body as a stream: it was read already");
    return this.#stream ??= new ReadableStream({
      pull: async (controller) => {
        const chunk = await this.#read();
        if (chunk === undefined) controller.close();
        else controller.enqueue(chunk);
      },
      cancel: (reason) => {
        this.#used = true;
        return this.#open()?.cancel(reason);
      },
    }, { highWaterMark: 0 });
  }

  /** Whether the body was read, or is being read. */
  get isUsed(): boolean {
    return this.#used;
  }

  /** To be called when the answer has been given: frees the memory as soon as nothing reads the body any more. */
  release(): void {
    this.#released = true;
    if (this.#readings === 0) this.#release(this.#claimed);
    if (this.#failed && !this.#refused) void this.#drop(true);
  }

  /**
   * The answer to a request whose body is refused, or not read to its end. The rest is dropped: over HTTP/2 before the answer, since Deno
   * resets the stream as soon as the answer is sent, and some clients then lose the answer (H3).
   */
  refuse(status: number, detail?: string): Response | Promise<Response>;
  refuse(answer: Response): Response | Promise<Response>;
  refuse(given: number | Response, detail?: string): Response | Promise<Response> {
    const answer = typeof given === "number" ? refusal(given, detail) : given;
    const isFirst = !this.#refused;
    this.#refused = true;
    this.release();
    if (!isFirst) return answer;
    // A body that is too late (408) gets no more time.
    const rest = this.#drop(answer.status !== 408);
    return isHTTP2(this.#request) ? rest.then(() => answer) : answer;
  }

  /** Does work that claims memory, and frees it at the end if the answer has been given meanwhile. */
  async #counted<Value>(work: () => Promise<Value>): Promise<Value> {
    this.#readings++;
    try {
      return await work();
    } finally {
      if (--this.#readings === 0 && this.#released) this.#release(this.#claimed);
    }
  }

  #claim(bytes: number): void {
    this.#bodies.claim(bytes);
    this.#claimed += bytes;
  }

  #release(bytes: number): void {
    this.#bodies.release(bytes);
    this.#claimed -= bytes;
  }

  /**
   * The reader. It is faster than `Request.bytes()` (C7), and need not read to the end.
   *
   * @param keeps Whether somebody keeps the chunks, so that each needs a separate buffer
   * @throws {TypeError} If something else has begun to read the body
   */
  #open(keeps = false): BodyReader | undefined {
    if (this.#reader === undefined) this.#reader = readerOf(this.#request, this.#bodies.buffers, keeps);
    return this.#reader ?? undefined;
  }

  #sizeError(size: number): Error | undefined {
    const { maxBodySize } = this.#limits;
    return size > maxBodySize ? badRequest(`The body is larger than ${maxBodySize} bytes`, 413) : undefined;
  }

  /**
   * The next chunk as it arrives, or undefined at the end.
   *
   * @param room Where the chunk may be written
   */
  async #next(room?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const reader = this.#open();
    if (reader === undefined) {
      this.#ended = true;
      return undefined;
    }
    if (this.#bodies.areOver) throw badRequest(NOT_WHOLE);
    const arrived = this.#bodies.deadlines.add(() => {
      this.#stalled = true;
      // Ends the read that is under way.
      reader.cancel().catch(() => {});
    });
    const start = performance.now();
    let result;
    try {
      result = await reader.read(room);
    } catch {
      this.#ended = true;
      throw badRequest(NOT_WHOLE);
    } finally {
      arrived();
      this.#waited += performance.now() - start;
    }
    if (this.#stalled) throw badRequest("The body did not arrive in time", 408);
    this.#ended = result.done;
    if (result.done && this.#length !== undefined && this.#size < this.#length) throw badRequest(NOT_WHOLE);
    if (result.done) return undefined;
    // Only a body that a program made can have one.
    if (!(result.value instanceof Uint8Array)) throw new TypeError(NO_BYTES);
    this.#bodies.deadlines.moved(this.progress);
    this.#size += result.value.length;
    if (result.value.length < SMALL_CHUNK) {
      this.#smallChunks++;
      await this.#bodies.admitSmallChunk();
    }
    return result.value;
  }

  /** The next chunk within the limits, or undefined at the end. */
  async #read(room?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | undefined> {
    this.#used = true;
    try {
      return this.#checked(this.#refused ? undefined : await this.#next(room));
    } catch (error) {
      this.#failed = true;
      // The answer is on its way, perhaps with this body in it, and nobody reads any further.
      if (this.#released && !this.#refused) void this.#open()?.cancel().catch(() => {});
      throw error;
    }
  }

  #checked(chunk: Uint8Array<ArrayBuffer> | undefined): Uint8Array<ArrayBuffer> | undefined {
    if (this.#refused) throw new Error(ANSWERED);
    if (chunk === undefined) return undefined;
    const error = this.#sizeError(this.#size);
    if (error) throw error;
    const { maxBodySize } = this.#limits;
    if (this.#length === undefined && ++this.#chunks > FREE_CHUNKS + maxBodySize / AVERAGE_CHUNK) {
      throw badRequest(`The body arrives in chunks of less than ${AVERAGE_CHUNK} bytes`, 413);
    }
    if (this.#isTooSlow()) throw badRequest(`The body arrives at less than ${LOWEST_RATE} bytes a second`, 408);
    return chunk;
  }

  #isTooSlow(): boolean {
    const { requestTimeout } = this.#limits;
    return requestTimeout > 0 && this.#waited / 1000 > requestTimeout + this.#size / LOWEST_RATE;
  }

  async #collect(): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#used) throw new TypeError("Cannot read the body: it was read as a stream");
    keepFreedMemory();
    const chunks = new Chunks(this.#length, (bytes) => this.#claim(bytes));
    for (;;) {
      const chunk = await this.#read(chunks.room());
      if (chunk === undefined) return chunks.joined();
      chunks.add(chunk);
    }
  }

  /**
   * Drops the rest of the body.
   *
   * @returns Resolves when no more of it will be read. If some is left, the connection ends once the answer has been sent
   */
  #drop(readsOn: boolean): Promise<void> {
    this.#refused = true;
    if (this.#ended || this.#stalled || this.isEmpty) return Promise.resolve();
    const rest = readsOn ? this.#readOn() : Promise.resolve();
    void rest.then(() => this.#letGo());
    return rest;
  }

  /** Reads the rest of the body, up to a limit. Otherwise Deno would read an HTTP/1.1 body without limit (H3). */
  async #readOn(): Promise<void> {
    const most = this.#length !== undefined && this.#length <= FILM ? FILM : this.#size + READ_ON;
    const allowed = this.#smallChunks + FREE_CHUNKS;
    const isTooMuch = () => this.#size >= most || this.#smallChunks > allowed + this.#size / AVERAGE_CHUNK;
    const mayReadOn = () => !this.#stopped.aborted && !isTooMuch() && !this.#isTooSlow();
    try {
      while (!this.#ended && mayReadOn()) await this.#next();
    } catch {
      // The rest did not arrive.
    }
  }

  /** Once the answer has been sent, ends the connection if some of the body is left. */
  async #letGo(): Promise<void> {
    let rest: Pick<BodyReader, "cancel"> | null | undefined;
    try {
      rest = this.#open();
    } catch {
      // A function around `fetch` has read a part of it.
      rest = bodyOf(this.#request);
    }
    await this.#info?.completed.catch(() => {});
    await turns(ANSWER_TURNS);
    await rest?.cancel().catch(() => {});
  }
}
