/** Cooking: running the user's callbacks, and counting what comes of it. */

import type { Callbacks } from "../callbacks.ts";
import type { WebServer } from "../server.ts";
import { Deadlines } from "./deadlines.ts";
import { CookClock } from "./info.ts";
import { BadRequest } from "./request.ts";

/** What a callback that threw leaves: the status to answer with. */
export class Failure {
  constructor(readonly status: 400 | 413 | 500 | 503, readonly detail?: string) {}
}

/** What can fail beside callbacks; the message of such an error says it all, while for the user's own code the stack counts. */
const OWN = ["start", "stop", "restart", "set", "callbacks", "certificate"];
/** Callbacks that may go on for as long as the server does. */
const UNBOUNDED: readonly string[] = ["onServerStart", "onServerStop", "onError"] satisfies (keyof Callbacks)[];
/** Different warnings that are printed; further ones are counted. */
const MAX_PRINTED = 20;

/** Whether a callback's result is to be waited for. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

/** Prints what went wrong, even what throws when it is looked at. */
function print(line: string, ...error: unknown[]): void {
  try {
    console.error(line, ...error);
  } catch {
    console.error(line, "an error that cannot be shown");
  }
}

type Arguments<Name extends keyof Callbacks> = NonNullable<Callbacks[Name]> extends
  (webServer: WebServer, ...rest: infer Rest) => unknown ? Rest : never;

/** The cooks of one operator. */
export class Cooks {
  readonly #webServer: WebServer;
  readonly #printed = new Set<string>();
  /** The callbacks in use. */
  callbacks: Callbacks;
  /** Callbacks run. */
  total = 0;
  /** Errors since the last start. */
  errors = 0;
  /** Warnings since the last start. */
  warnings = 0;
  readonly clock = new CookClock();
  /** Of callbacks, and of request bodies to arrive. */
  readonly deadlines: Deadlines;

  constructor(webServer: WebServer, callbacks: Callbacks) {
    this.#webServer = webServer;
    this.callbacks = callbacks;
    this.deadlines = new Deadlines(() => webServer.parameters.requestTimeout);
  }

  /** Errors and warnings are counted, and warnings printed, anew. */
  reset(): void {
    this.errors = 0;
    this.warnings = 0;
    this.#printed.clear();
  }

  has(name: keyof Callbacks): boolean {
    try {
      return (this.callbacks[name] ?? null) !== null;
    } catch {
      // A getter that throws: run() tells.
      return true;
    }
  }

  /**
   * Runs a callback: the one place that calls the user's code. Never throws, and its promise never rejects: what goes wrong
   * is reported and comes back as a Failure. What is to be waited for comes back as a Promise of the runtime's own, which settles in time.
   */
  run<Name extends keyof Callbacks>(name: Name, ...args: Arguments<Name>): unknown {
    const { callbacks, clock } = this;
    const start = clock.watched ? performance.now() : undefined;
    try {
      const callback = callbacks[name] as ((webServer: WebServer, ...args: unknown[]) => unknown) | null | undefined;
      if (callback === undefined || callback === null) return undefined;
      this.total++;
      const result = callback.call(callbacks, this.#webServer, ...args);
      if (isThenable(result)) return this.#settled(result, name, args, start);
      return name === "onHTTPRequest" || name === "onWebSocketRequest" ? result : undefined;
    } catch (error) {
      return this.#fail(error, name, args);
    } finally {
      if (start !== undefined) clock.cooked(start);
    }
  }

  #settled(result: PromiseLike<unknown>, name: keyof Callbacks, args: unknown[], start?: number): Promise<unknown> {
    const failed = (error: unknown) => this.#fail(error, name, args);
    const promise = Promise.resolve(result);
    const settled = UNBOUNDED.includes(name)
      ? promise.catch(failed)
      : this.deadlines.race(promise, (atOnce) => this.#givenUp(name, atOnce), failed);
    return start === undefined ? settled : settled.finally(() => this.clock.cooked(start));
  }

  #givenUp(name: string, stopped: boolean): Failure {
    const { requestTimeout } = this.#webServer.parameters;
    const late = stopped
      ? 'before the server stopped: see parameter "shutdownTimeout"'
      : `within ${requestTimeout} s: see parameter "requestTimeout"`;
    this.report(new Error(`${name} has not settled ${late}`), name);
    return new Failure(503, "It took too long");
  }

  #fail(error: unknown, name: keyof Callbacks, args: unknown[]): Failure {
    if (error instanceof BadRequest) return new Failure(error.status, error.message);
    if (name === "onError") {
      print(`${this.#webServer.name}: onError threw`, error);
      print(`${this.#webServer.name}: it was to be told that ${args[1]} failed:`, args[0]);
    } else {
      this.report(error, name);
    }
    return new Failure(500);
  }

  /**
   * Counts an error and hands it to `onError`, or prints it. Never throws.
   *
   * @param name The callback or method that failed
   */
  report(error: unknown, name: string): void {
    this.errors++;
    if (this.has("onError")) this.run("onError", error, name);
    else if (OWN.includes(name) && error instanceof Error) print(`${this.#webServer.name}: ${error.message}`);
    else print(`${this.#webServer.name}: ${name} threw`, error);
  }

  /** Counts a warning; prints it the first time, so that a busy server does not fill the terminal with it. */
  warn(message: string): void {
    this.warnings++;
    if (this.#printed.has(message) || this.#printed.size >= MAX_PRINTED) return;
    this.#printed.add(message);
    console.warn(`${this.#webServer.name}: ${message}`);
  }
}
