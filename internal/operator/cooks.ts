/** Cooking: runs the user's callbacks, and counts cooks, errors and warnings. */

import type { Callbacks } from "../../callbacks.ts";
import type { WebServer } from "../../server.ts";
import { Failure, faultOf } from "../engine/fault.ts";
import { print, printable } from "./console.ts";
import { Throttle } from "./throttle.ts";
import { Deadlines, type Progress } from "../engine/deadlines.ts";
import { CookClock } from "./info.ts";
import type { LiveParameters } from "./live_parameters.ts";
import { cancel } from "./response.ts";

/** Our own operations: print the message only. For user code, print the stack. */
const OWN = ["start", "stop", "restart", "set", "callbacks", "certificate"];
/** Callbacks that may go on as long as the server runs. */
const UNBOUNDED: readonly string[] = ["onServerStart", "onServerStop", "onError"] satisfies (keyof Callbacks)[];

/** Whether a callback's result must be awaited. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

type Arguments<Name extends keyof Callbacks> = NonNullable<Callbacks[Name]> extends
  (webServer: WebServer, ...rest: infer Rest) => unknown ? Rest : never;

/** Sees each callback that is due, and its arguments, even if the callback does not exist. It must not throw. */
type Observer = (name: keyof Callbacks, args: readonly unknown[]) => void;

const cooksOf = new WeakMap<WebServer, Cooks>();

/** Has a function see each callback of a server that is due. */
export function observeCallbacks(webServer: WebServer, observer: Observer): void {
  cooksOf.get(webServer)!.observer = observer;
}

/** The cooks of one operator. */
export class Cooks {
  readonly #webServer: WebServer;
  readonly #live: LiveParameters;
  readonly #throttle = new Throttle();
  /** Errors of the server's own methods. */
  readonly #reported = new WeakSet<object>();
  /** The callbacks in use. */
  callbacks: Callbacks;
  /** Undefined unless the program has one. */
  observer: Observer | undefined;
  /** Callbacks run. */
  total = 0;
  /** Errors since the last start. */
  errors = 0;
  /** Warnings since the last start. */
  warnings = 0;
  readonly clock = new CookClock();
  /** For callbacks to finish, and for request bodies to arrive. */
  readonly deadlines: Deadlines;

  constructor(webServer: WebServer, live: LiveParameters, callbacks: Callbacks) {
    this.#webServer = webServer;
    cooksOf.set(webServer, this);
    this.#live = live;
    this.callbacks = callbacks;
    this.deadlines = new Deadlines(() => live.current.requestTimeout);
  }

  /** Resets the counts of errors and warnings to 0, and prints each kind again. */
  reset(): void {
    this.errors = 0;
    this.warnings = 0;
    this.forgetPrinted();
  }

  has(name: keyof Callbacks): boolean {
    try {
      return (this.callbacks[name] ?? null) !== null;
    } catch {
      // The getter throws; run() will report it.
      return true;
    }
  }

  /**
   * Runs a callback: the one place that calls the user's code. Never throws, and its promise never rejects: an error is
   * reported and returned as a Failure. A result to wait for is returned as a native Promise, which settles in time.
   *
   * @param progress As long as this advances, an async callback is not abandoned
   */
  run<Name extends keyof Callbacks>(name: Name, args: Arguments<Name>, progress?: Progress): unknown {
    const { callbacks, clock } = this;
    if (this.observer !== undefined) this.observer(name, args);
    const start = clock.watched ? performance.now() : undefined;
    try {
      const callback = callbacks[name] as ((webServer: WebServer, ...args: unknown[]) => unknown) | null | undefined;
      if (callback === undefined || callback === null) return undefined;
      this.total++;
      const result = callback.call(callbacks, this.#webServer, ...args);
      if (isThenable(result)) return this.#settled(result, name, args, start, progress);
      return name === "onHTTPRequest" || name === "onWebSocketRequest" ? result : undefined;
    } catch (error) {
      return this.#fail(error, name, args);
    } finally {
      if (start !== undefined) clock.cooked(start);
    }
  }

  #settled(
    result: PromiseLike<unknown>,
    name: keyof Callbacks,
    args: unknown[],
    start?: number,
    progress?: Progress,
  ): Promise<unknown> {
    const failed = (error: unknown) => this.#fail(error, name, args);
    const promise = Promise.resolve(result);
    const settled = UNBOUNDED.includes(name)
      ? promise.catch(failed)
      : this.deadlines.race(promise, (atOnce) => this.#givenUp(name, atOnce), failed, cancel, progress);
    return start === undefined ? settled : settled.finally(() => this.clock.cooked(start));
  }

  #givenUp(name: string, stopped: boolean): Failure {
    const { requestTimeout } = this.#live.current;
    const late = stopped
      ? 'before the server stopped: see parameter "shutdownTimeout"'
      : `within ${requestTimeout} s: see parameter "requestTimeout"`;
    this.report(new Error(`${name} did not finish ${late}`), name, false, "");
    return new Failure(503, "It took too long");
  }

  #fail(error: unknown, name: keyof Callbacks, args: unknown[]): Failure {
    const fault = faultOf(error);
    if (fault) return new Failure(fault.status, fault.detail);
    // Of a method of the server that the callback awaits.
    if (this.#reported.has(error as object)) return new Failure(500);
    if (name === "onError") {
      this.#printError("onError", "onError threw", error);
      this.#printError("reported", `onError was called because ${args[1]} failed:`, args[0]);
    } else {
      this.report(error, name);
    }
    return new Failure(500);
  }

  /**
   * Counts an error and hands it to `onError`, or prints it. Never throws.
   *
   * @param name The callback or method that failed
   * @param isTold Whether the program gets the error in another way, so that it is not printed
   * @param did What it did, as a part of the printed sentence; blank if the message of the error says it
   */
  report(error: unknown, name: string, isTold = false, did = "threw"): void {
    this.errors++;
    if (OWN.includes(name) && error instanceof Error) this.#reported.add(error);
    if (this.has("onError")) {
      this.run("onError", [error, name]);
    } else if (!isTold) {
      const isOwn = OWN.includes(name) || did === "";
      if (isOwn && error instanceof Error) this.#printError(name, printable(error.message));
      else this.#printError(name, `${name} ${did}`, error);
    }
  }

  /**
   * Counts a warning, and prints it unless many of its kind were printed recently.
   *
   * @param kind Must not come from a client
   */
  warn(kind: string, message: string): void {
    this.warnings++;
    const dropped = this.#throttle.admit(`warning ${kind}`, message, false);
    if (dropped !== undefined) this.#print("warn", printable(message), dropped);
  }

  #printError(kind: string, message: string, ...error: [error?: unknown]): void {
    const dropped = this.#throttle.admit(kind, error.length === 0 ? message : headline(error[0]));
    if (dropped !== undefined) this.#print("error", message, dropped, ...error);
  }

  /** Called when the callbacks have changed: their messages are new, and are printed again. */
  forgetPrinted(): void {
    this.tellDropped();
    this.#throttle.reset();
  }

  /** Prints how many messages were not printed, unless a later one has told that. */
  tellDropped(): void {
    const dropped = this.#throttle.takeDropped();
    if (dropped > 0) {
      const messages = dropped === 1 ? "message like those above was" : "messages like those above were";
      print("warn", `${this.#live.current.name}: ${dropped} more ${messages} not printed`);
    }
  }

  #print(level: "warn" | "error", message: string, dropped: number, ...error: [error?: unknown]): void {
    const more = dropped === 0 ? "" : ` (${dropped} more of this kind were not printed)`;
    print(level, `${this.#live.current.name}: ${message}${more}`, ...error);
  }
}

/** A text by which errors of one kind can be told apart. */
function headline(error: unknown): string {
  try {
    return String(error).slice(0, 1000);
  } catch {
    return "";
  }
}
