/** Many WebSockets, in a separate process. */

import { deno } from "../support/deno.ts";
import type { Program } from "../support/program.ts";

/** How many times each message has come, at least and at most, over the clients of a group: see `clients_process.ts`. */
export type Received = Record<string, Record<string, [least: number, most: number]>>;

/** The clients, as long as their process runs. */
export class Clients implements AsyncDisposable {
  readonly #process: Program;

  constructor(url: string, count: number) {
    const file = "tests/examples/clients_process.ts";
    this.#process = deno("run", ["--allow-net", "--ignore-env", file, url, `${count}`]);
  }

  /** The lines that the process has printed. */
  get lines(): readonly string[] {
    return this.#process.lines;
  }

  /** Waits for a line of the process that matches. */
  line(pattern: RegExp, from?: number): Promise<RegExpExecArray> {
    return this.#process.line(pattern, from);
  }

  /** How many clients each group has, once all are open. */
  async open(): Promise<Record<string, number>> {
    return (await this.#answer("open")).open as Record<string, number>;
  }

  /** Lets one of the clients send. */
  say(client: number, message: { text: string } | { bytes: number[] }): Promise<void> {
    return this.#process.write(JSON.stringify({ client, ...message }));
  }

  /** Resolves once every client has a message. */
  async all(message: string): Promise<void> {
    await this.line(new RegExp(`^${RegExp.escape(JSON.stringify({ all: message }))}$`));
  }

  /** Lets each of these clients send once every `every` milliseconds. */
  load(clients: number[], every: number): Promise<void> {
    return this.#process.write(JSON.stringify({ load: clients, every }));
  }

  /** Ends the load, and returns the messages that were sent. */
  async halt(): Promise<string[]> {
    return (await this.#ask("halt", "sent")).sent as string[];
  }

  /** What has come so far. */
  async report(): Promise<Received> {
    return (await this.#ask("report", "received")).received as Received;
  }

  /** Ends the process, and with it all connections. */
  stop(): Promise<void> {
    return this.#process.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #ask(command: string, answer: string): Promise<Record<string, unknown>> {
    const from = this.lines.length;
    await this.#process.write(JSON.stringify({ [command]: true }));
    return await this.#answer(answer, from);
  }

  async #answer(key: string, from?: number): Promise<Record<string, unknown>> {
    return JSON.parse((await this.line(new RegExp(`^{"${key}":.*`), from))[0]);
  }
}
