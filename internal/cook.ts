/** Cooking: running the user's callbacks, and counting what comes of it. */

import type { Callbacks } from "../callbacks.ts";
import type { WebServer } from "../server.ts";
import { BadRequest } from "./request.ts";

/** What a callback that threw leaves: the status to answer with. */
export class Failure {
  constructor(readonly status: 400 | 500, readonly detail?: string) {}
}

/** Whether a callback's result is to be waited for. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

type Arguments<Name extends keyof Callbacks> = NonNullable<Callbacks[Name]> extends
  (webServer: WebServer, ...rest: infer Rest) => unknown ? Rest : never;

/** The cooks of one operator. */
export class Cooks {
  readonly #webServer: WebServer;
  /** Callbacks run. */
  total = 0;
  /** Errors since the last start. */
  errors = 0;
  /** Warnings since the last start. */
  warnings = 0;

  constructor(webServer: WebServer) {
    this.#webServer = webServer;
  }

  /** A start: errors and warnings are counted anew. */
  reset(): void {
    this.errors = 0;
    this.warnings = 0;
  }

  has(name: keyof Callbacks): boolean {
    return this.#webServer.parameters.callbacks[name] !== undefined;
  }

  /**
   * Runs a callback: the one place that calls the user's code. Never throws, and its promise never rejects: what goes wrong
   * is reported and comes back as a Failure.
   */
  run<Name extends keyof Callbacks>(name: Name, ...args: Arguments<Name>): unknown {
    const { callbacks } = this.#webServer.parameters;
    const callback = callbacks[name] as ((webServer: WebServer, ...args: unknown[]) => unknown) | undefined;
    if (callback === undefined) return undefined;
    this.total++;
    try {
      const result = callback.call(callbacks, this.#webServer, ...args);
      return isPromise(result) ? Promise.resolve(result).catch((error) => this.#fail(error, name)) : result;
    } catch (error) {
      return this.#fail(error, name);
    }
  }

  #fail(error: unknown, name: keyof Callbacks): Failure {
    if (error instanceof BadRequest) return new Failure(400, error.message);
    if (name === "onError") {
      this.errors++;
      console.error(`${this.#webServer.name}: onError threw`, error);
    } else {
      this.report(error, name);
    }
    return new Failure(500);
  }

  /**
   * Counts an error and hands it to `onError`, or prints it.
   *
   * @param name The callback or method that failed
   * @param shown What is printed
   */
  report(error: unknown, name: string, shown: unknown = error): void {
    this.errors++;
    if (this.#webServer.parameters.callbacks.onError !== undefined) this.run("onError", error, name);
    else if (typeof shown === "string") console.error(`${this.#webServer.name}: ${shown}`);
    else console.error(`${this.#webServer.name}: ${name} threw`, shown);
  }

  /** Counts a warning; prints the first, so that a busy server does not fill the terminal with it. */
  warn(message: string): void {
    if (this.warnings++ === 0) console.warn(`${this.#webServer.name}: ${message}`);
  }
}
