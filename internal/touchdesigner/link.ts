/** The link: a separate small server that accepts one TouchDesigner, and the changes that are sent to it. */

import { createHash, timingSafeEqual } from "node:crypto";
import type { Callbacks, RequestDictionary } from "../../callbacks.ts";
import { WebServer, type WebServerParameters } from "../../server.ts";
// Everything that this package prints goes through this module.
import { print, printable } from "../operator/console.ts";
import { Throttle } from "../operator/throttle.ts";
import { type Change, costOf, Kept, Queue } from "./changes.ts";
import { VERSION } from "./callbacks_py.ts";
import { labelOf, type Sender, type Target } from "./operator.ts";
import { Outcome } from "./outcome.ts";
import { answerPage } from "./page.ts";
import { encodeBatch, type Incoming, parseBinary, parseText } from "./protocol.ts";
import { encode } from "./values.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Milliseconds between two messages to TouchDesigner: one frame at sixty a second. */
const FRAME = 1000 / 60;
/** The most batches that TouchDesigner has not answered yet, and bytes in them. Beyond that, changes are merged until it answers. */
const MAX_BATCHES = 8;
const MAX_UNANSWERED = 1024 * 1024;
/** The most bytes of operations that wait, and of values that are kept. */
const MAX_WAITING = 16 * 1024 * 1024;
const MAX_KEPT = 16 * 1024 * 1024;
/** The most characters of one change, and the most bytes. */
const MAX_CHANGE = 8 * 1024 * 1024;
const MAX_BYTES = 16 * 1024 * 1024;
/** Milliseconds that a client has to say that it is TouchDesigner. */
const GREETING = 10_000;
/** Milliseconds between two attempts to listen. */
const RETRY = 2_000;
/** The most clients, including those that have not said yet what they are. */
const MAX_CLIENTS = 16;
/** Operations that move the rows of a table: cells that were set before must not be set again. */
const MOVING = ["clear", "insertRow", "replaceRow", "deleteRow"];

/** The callbacks of the link's owner. */
export interface Owner {
  onConnect?: ((client: string) => unknown) | undefined;
  onDisconnect?: ((client: string) => unknown) | undefined;
  // deno-lint-ignore no-explicit-any -- what JSON holds
  onMessage?: ((name: string, value: any) => unknown) | undefined;
  onWarning?: ((message: string) => unknown) | undefined;
}

/** Parameters of the server that a link can be given. */
export type ServerParameters = Partial<
  Pick<
    WebServerParameters,
    | "name"
    | "port"
    | "localaddress"
    | "secure"
    | "privatekey"
    | "certificate"
    | "origins"
    | "idleTimeout"
    | "maxMessageSize"
  >
>;

export interface LinkSettings {
  readonly parameters: ServerParameters;
  readonly token: string | undefined;
  /** Milliseconds that TouchDesigner has to answer. */
  readonly timeout: number;
}

/** TouchDesigner, while it is connected. */
interface Peer {
  readonly client: string;
  /** Batches under way, by number, and their bytes. */
  readonly batches: Map<number, readonly Change[]>;
  unanswered: number;
}

const digest = (text: string) => createHash("sha256").update(text).digest();

/** Whether two tokens are the same, in a time that does not reveal how much of them matches. */
function isSame(given: string, token: string): boolean {
  return timingSafeEqual(digest(given), digest(token));
}

/** Whether a host is localhost or an IP address. A foreign page can make its own name point to this machine, but not these. */
function isAddress(hostname: string): boolean {
  return hostname === "localhost" || /^[\d.]+$/.test(hostname) || hostname.startsWith("[");
}

/** A link. */
export class Link implements Sender {
  readonly #server: WebServer;
  #settings: LinkSettings;
  #owner: Owner;
  readonly #listening = Promise.withResolvers<void>();
  #retry: ReturnType<typeof setTimeout> | undefined;
  #closed: Promise<void> | undefined;
  /** Clients that have not said yet what they are. */
  readonly #strangers = new Map<string, ReturnType<typeof setTimeout>>();
  #peer: Peer | undefined;
  readonly #queue = new Queue(MAX_WAITING);
  readonly #kept = new Kept(MAX_KEPT);
  #batch = 0;
  /** When the last message was sent, in milliseconds of `performance.now()`. */
  #sent = -FRAME;
  #flushing: ReturnType<typeof setTimeout> | undefined;
  /** Operations without an answer, and until when they wait for one; the oldest first. */
  readonly #pending = new Map<Outcome<unknown>, number>();
  #deadline: ReturnType<typeof setTimeout> | undefined;
  readonly #throttle = new Throttle();

  constructor(settings: LinkSettings, owner: Owner) {
    this.#settings = settings;
    this.#owner = owner;
    this.#server = new WebServer({ ...settings.parameters, maxConnections: MAX_CLIENTS, callbacks: this.#callbacks() });
    this.#listening.promise.catch(() => {});
    void this.#listen();
  }

  get owner(): Owner {
    return this.#owner;
  }

  get server(): WebServer {
    return this.#server;
  }

  get token(): string | undefined {
    return this.#settings.token;
  }

  /** The address of the TouchDesigner that is connected. */
  get client(): string | undefined {
    return this.#peer?.client;
  }

  get closed(): boolean {
    return this.#closed !== undefined;
  }

  get listening(): Promise<void> {
    return this.#listening.promise;
  }

  /** Changes the owner, after a program was reloaded. The connection stays open. */
  adopt(settings: LinkSettings, owner: Owner): void {
    this.#settings = settings;
    this.#owner = owner;
    // A failure is reported by onError.
    this.#server.set(settings.parameters).catch(() => {});
    print("log", `${this.#server.name}: a new TouchDesigner() takes over from the previous one at the same address`);
  }

  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    clearTimeout(this.#retry);
    this.#listening.reject(new Error("The link was closed before it listened"));
    this.#lose("the link was closed");
    for (const timer of this.#strangers.values()) clearTimeout(timer);
    this.#strangers.clear();
    await this.#server.stop();
  }

  // Listening

  async #listen(): Promise<void> {
    try {
      await this.#server.start();
      this.#listening.resolve();
    } catch (error) {
      const { message } = error as Error;
      const mayPass = error instanceof Deno.errors.AddrInUse || error instanceof Deno.errors.AddrNotAvailable;
      if (this.closed) return;
      if (!mayPass) {
        this.#listening.reject(error);
        return this.#warn("listen", message);
      }
      // The previous program may still be ending.
      const remedy = message.replace(
        / or set parameter "port" to a free one, such as (\d+)$/,
        " or use new TouchDesigner({ port: $1 })",
      );
      this.#warn("listen", `${remedy}. Trying again every ${RETRY / 1000} s`);
      this.#retry = setTimeout(() => this.#listen(), RETRY);
    }
  }

  // Clients

  #callbacks(): Callbacks {
    return {
      onHTTPRequest: (_webServer, request, response) => {
        const refused = this.#refusal(request);
        return refused ?? answerPage(request, response, this);
      },
      onWebSocketRequest: (_webServer, request, response) => {
        const refused = request.uri === "/"
          ? this.#refusal(request)
          : { statusCode: 404, data: "TouchDesigner must connect to /" };
        if (refused !== undefined) Object.assign(response, refused);
      },
      onWebSocketOpen: (_webServer, client) => this.#meet(client),
      onWebSocketReceiveText: (_webServer, client, data) => this.#receive(client, parseText(data), data),
      onWebSocketReceiveBinary: (_webServer, client, data) => this.#receive(client, parseBinary(data), data),
      onWebSocketClose: (_webServer, client) => {
        this.#forget(client);
        if (this.#peer?.client === client) this.#lose("TouchDesigner disconnected before it answered");
      },
      onError: (_webServer, error, name) => {
        // Those of the start are reported by #listen.
        if (name !== "start" && name !== "stop") this.#warn("server", `${name}: ${(error as Error)?.message ?? error}`);
      },
    };
  }

  /** Why a client is refused. */
  #refusal(request: RequestDictionary): { statusCode: number; data: string } | undefined {
    const { token } = this.#settings;
    if (token !== undefined) {
      if (isSame(request.pars["token"] ?? "", token)) return undefined;
      return { statusCode: 403, data: "The token is missing or wrong: add ?token=... to the address" };
    }
    const { hostname } = new URL(request.raw.url);
    if (isAddress(hostname)) return undefined;
    return { statusCode: 421, data: "Without a token, the link can be reached only by localhost or an IP address" };
  }

  #meet(client: string): void {
    const timer = setTimeout(() => {
      this.#forget(client);
      this.#server.webSocketClose(client, 4408, "No hello");
      this.#warn(
        "stranger",
        `${client} has connected, but does not run the link's callbacks: copy them from ${this.#server.address?.url}`,
      );
    }, GREETING);
    this.#strangers.set(client, timer);
  }

  #forget(client: string): void {
    clearTimeout(this.#strangers.get(client));
    this.#strangers.delete(client);
  }

  #receive(client: string, message: Incoming | undefined, data: string | Bytes): void {
    if (this.closed) return;
    if (message === undefined) {
      const shown = typeof data === "string" ? JSON.stringify(data.slice(0, 80)) : `${data.length} bytes`;
      return this.#warn("malformed", `A message from ${client} is malformed, and is ignored: ${shown}`);
    }
    if (message.kind === "hello") return this.#greet(client, message.version);
    const peer = this.#peer;
    // A client that was replaced may still send.
    if (peer?.client !== client) return;
    if (message.kind === "message") return this.#call("onMessage", message.name, message.value);
    this.#settle(peer, message);
  }

  #greet(client: string, version: number): void {
    this.#forget(client);
    if (this.#peer?.client === client) return;
    if (version !== VERSION) {
      this.#warn(
        "version",
        `TouchDesigner runs version ${version} of the callbacks, but this is version ${VERSION}: copy them again from ` +
          `${this.#server.address?.url}`,
      );
    }
    const before = this.#peer?.client;
    if (before !== undefined) {
      this.#warn("replaced", `Another TouchDesigner (${client}) has connected and replaces ${before}`);
      this.#server.webSocketSendText(before, JSON.stringify({ replaced: true }));
      this.#server.webSocketClose(before, 4409, "Another TouchDesigner has connected");
      this.#lose("another TouchDesigner replaced it");
    }
    const { maxMessageSize } = this.#server.parameters;
    this.#server.webSocketSendText(client, JSON.stringify({ welcome: VERSION, limit: maxMessageSize }));
    this.#peer = { client, batches: new Map(), unanswered: 0 };
    for (const change of this.#kept.all()) this.#queue.add(change, true);
    this.#call("onConnect", client);
    this.#flush();
  }

  /** TouchDesigner is gone: operations that it has not answered fail, and values that were set are kept. */
  #lose(reason: string): void {
    const peer = this.#peer;
    this.#peer = undefined;
    clearTimeout(this.#flushing);
    this.#flushing = undefined;
    this.#queue.clear();
    clearTimeout(this.#deadline);
    this.#deadline = undefined;
    const pending = [...this.#pending.keys()];
    this.#pending.clear();
    for (const outcome of pending) outcome.fail(reason);
    if (peer !== undefined) this.#call("onDisconnect", peer.client);
  }

  /** Takes the answers to a batch. */
  #settle(peer: Peer, { kind, batch, results, errors }: Incoming & { kind: "part" | "done" }): void {
    const changes = peer.batches.get(batch);
    if (changes === undefined) {
      return this.#warn("malformed", `TouchDesigner has answered batch ${batch}, which it was not sent`);
    }
    for (const [index, value] of results) this.#settled(changes[index])?.resolve(value);
    for (const [index, reason] of errors) {
      const change = changes[index];
      const text = typeof reason === "string" ? reason : JSON.stringify(reason);
      const outcome = this.#settled(change);
      if (outcome !== undefined) outcome.fail(text);
      else if (change !== undefined && change.outcome === undefined) {
        this.#warn("unset", `${labelOf(JSON.parse(`${change.head}]`))} was not set: ${text}`);
      }
    }
    if (kind === "part") return;
    for (const change of changes) this.#settled(change)?.resolve(null);
    peer.batches.delete(batch);
    for (const change of changes) peer.unanswered -= costOf(change);
    this.#flush();
  }

  /** The outcome of an operation that is still pending. */
  #settled(change: Change | undefined): Outcome<unknown> | undefined {
    const outcome = change?.outcome;
    if (outcome !== undefined) this.#pending.delete(outcome);
    return outcome?.settled ? undefined : outcome;
  }

  // Changes

  set(target: Target, value: unknown): void {
    const change = this.#change(target, [value], () => labelOf(target));
    const verb = target[1];
    const kept = this.#kept.set(change, verb === "cell" || verb === "text");
    if (!kept) {
      this.#warn(
        "kept",
        `${
          labelOf(target)
        } is not kept, since ${MAX_KEPT} bytes of values are kept already: TouchDesigner will not get it again`,
      );
    }
    if (this.closed) return this.#warn("closed", `${labelOf(target)} was not set: the link was closed`);
    if (this.#peer === undefined) return;
    if (!this.#queue.add(change, kept)) {
      this.#warn("waiting", `${labelOf(target)} was not set: too much waits for TouchDesigner`);
    }
    this.#flush();
  }

  ask<Value>(target: Target, args: readonly unknown[], label: string): Promise<Value> {
    const outcome = new Outcome<unknown>(label, (message) => this.#warn("failed", message));
    const change: Change = { ...this.#change(target, args, () => label), outcome };
    if (this.closed) outcome.fail("the link was closed");
    else if (this.#peer === undefined) outcome.fail("TouchDesigner is not connected");
    else if (!this.#queue.add(change)) outcome.fail("too much waits for TouchDesigner");
    else {
      const [path, verb] = target;
      const moves = MOVING.includes(verb) || (verb.startsWith("append") && args.length > 1);
      if (moves) this.#kept.forgetContents(path);
      this.#pending.set(outcome, performance.now() + this.#settings.timeout);
      this.#deadline ??= this.#wait(this.#settings.timeout);
      this.#flush();
    }
    return outcome as Promise<unknown> as Promise<Value>;
  }

  #change(target: Target, args: readonly unknown[], label: () => string): Change {
    const head = JSON.stringify(target).slice(0, -1);
    const at = args.findIndex((arg) => arg instanceof Uint8Array);
    const rest = `${args.map((arg, index) => `,${index === at ? "null" : encode(arg, label)}`).join("")}]`;
    if (rest.length > MAX_CHANGE) {
      throw new RangeError(`Cannot send ${label()}: ${rest.length} characters are too many, ${MAX_CHANGE} at most`);
    }
    const path = target[0];
    if (at < 0) return { head, rest, path };
    // A copy, since the caller may change the buffer before it is sent.
    const data = (args[at] as Bytes).slice();
    if (data.length > MAX_BYTES) {
      throw new RangeError(`Cannot send ${label()}: ${data.length} bytes are too many, ${MAX_BYTES} at most`);
    }
    return { head, rest, path, bytes: { data, at: target.length + at } };
  }

  /** Sends the waiting changes, if it is time: once a frame, and not faster than TouchDesigner answers. */
  #flush(): void {
    if (this.#flushing !== undefined || this.#queue.isEmpty) return;
    // Always later, so that everything that a callback sets is sent together.
    const wait = Math.max(0, Math.ceil(this.#sent + FRAME - performance.now()));
    this.#flushing = setTimeout(() => {
      this.#flushing = undefined;
      if (performance.now() < this.#sent + FRAME) return this.#flush();
      this.#send();
    }, wait);
  }

  #send(): void {
    const peer = this.#peer;
    if (peer === undefined || peer.batches.size >= MAX_BATCHES || peer.unanswered > MAX_UNANSWERED) return;
    const changes = this.#queue.take();
    if (changes.length === 0) return;
    const batch = ++this.#batch;
    const message = encodeBatch(batch, changes);
    const sent = typeof message === "string"
      ? this.#server.webSocketSendText(peer.client, message)
      : this.#server.webSocketSendBinary(peer.client, message);
    // It will connect again, and get all kept values.
    if (!sent) return this.#server.webSocketClose(peer.client, 1013, "Too slow");
    this.#sent = performance.now();
    peer.batches.set(batch, changes);
    for (const change of changes) peer.unanswered += costOf(change);
    this.#flush();
  }

  /** Fails operations that are not answered in time. */
  #wait(time: number): ReturnType<typeof setTimeout> {
    return setTimeout(() => {
      this.#deadline = undefined;
      const now = performance.now();
      for (const [outcome, due] of this.#pending) {
        if (due > now) {
          this.#deadline = this.#wait(due - now);
          return;
        }
        this.#pending.delete(outcome);
        outcome.fail(`TouchDesigner did not answer within ${this.#settings.timeout / 1000} s`);
      }
    }, Math.ceil(time));
  }

  // The owner

  /** The only place that calls the user's code. */
  #call(name: "onConnect" | "onDisconnect" | "onMessage", ...args: [string, unknown?]): void {
    const failed = (error: unknown) => this.#warn("callback", `${name} failed: ${Deno.inspect(error)}`);
    try {
      const result = (this.#owner[name] as ((...args: unknown[]) => unknown) | undefined)?.call(this.#owner, ...args);
      if (result instanceof Promise) result.catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  #warn(kind: string, message: string): void {
    const text = printable(message);
    if (this.#owner.onWarning !== undefined) {
      try {
        this.#owner.onWarning(text);
        return;
      } catch {
        // Print it instead.
      }
    }
    const dropped = this.#throttle.admit(kind, text);
    if (dropped === undefined) return;
    print("warn", `${this.#server.name}: ${text}${dropped === 0 ? "" : ` (and ${dropped} more of its kind before)`}`);
  }
}
