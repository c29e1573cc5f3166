/** The life cycle: from parameters to a server that runs, and from each state to the next one, in turn. */

import type { Address } from "../engine/address.ts";
import { keepFreedMemory } from "../engine/allocator.ts";
import { flushConsole, print } from "./console.ts";
import { faultOf } from "../engine/fault.ts";
import type { Cooks } from "./cooks.ts";
import { surviveLongTexts } from "../engine/deno.ts";
import {
  certificateOf,
  FILE_PARAMETERS,
  type Files,
  isModule,
  isSame,
  readCallbacks,
  readFiles,
  type Saved,
} from "./files.ts";
import { listen, type ListenAddress, type Listener } from "../engine/listener.ts";
import { ObservedPromise } from "./observed_promise.ts";
import { changed, type WebServerParameters } from "./parameters.ts";
import { refusal } from "./response.ts";
import { type Operator, Run } from "../engine/run.ts";
import { Stalled } from "../engine/sending.ts";
import { within } from "../engine/within.ts";

/**
 * - `stopped`: no listener
 * - `running`: a listener of our own
 * - `stopping`: as `running`, but every request is answered 503
 * - `served`: `deno serve` has the listener
 */
type State = "stopped" | "running" | "stopping" | "served";

/** What needs another listener, when it changes. */
const LISTENER_PARAMETERS = ["localaddress", "port", "secure"] as const satisfies (keyof WebServerParameters)[];

/** Milliseconds that `onServerStop` has at least. */
const LEAST_STOP = 500;
/** Milliseconds that the console has to take what was printed. */
const FLUSH = 200;
/** Milliseconds to wait after a change that failed, at first and at most, so that a callback which tries again leaves others their turn. */
const FIRST_PAUSE = 1;
const LONGEST_PAUSE = 1_000;

/** What is said of a file that was saved. */
const IN_USE: Record<Saved, string> = {
  callbacks: "The saved callbacks are in use",
  certificate: "The saved certificate is in use",
};

/** The life of one server. */
export class Lifecycle {
  readonly #cooks: Cooks;
  readonly #operator: Operator;
  readonly #handler: () => Deno.ServeHandler;
  #parameters: WebServerParameters;
  #state: State = "stopped";
  #address: ListenAddress | undefined;
  #listener: Listener | undefined;
  #listened = false;
  #files: Files | undefined;
  #run: Run;
  #transitions: Promise<unknown> = Promise.resolve();
  /** Milliseconds to wait before the next change: the last ones failed. */
  #pause = 0;
  /** The server lost its port, and tries to get it back: the parameter `active` is on, and the server is not active. */
  #comeback: { readonly port: number; timer: ReturnType<typeof setTimeout> } | undefined;
  /** Ends the wait for files. */
  #interrupt = () => {};
  /** Under `deno serve`: a callbacks module is on its way. */
  #loading: Promise<void> | undefined;

  /** @param handler What answers the requests of a listener, as it stands at the start */
  constructor(cooks: Cooks, parameters: WebServerParameters, handler: () => Deno.ServeHandler) {
    this.#cooks = cooks;
    this.#parameters = parameters;
    this.#handler = handler;
    this.#operator = { cooks, slots: { taken: 0 }, parameters: () => this.#parameters };
    this.#run = new Run(this.#operator, undefined, true);
  }

  get parameters(): WebServerParameters {
    return this.#parameters;
  }

  get active(): boolean {
    return this.#state === "running" || this.#state === "served";
  }

  /** Whether it has never had a listener. */
  get fresh(): boolean {
    return this.#state === "stopped" && !this.#listened;
  }

  get served(): boolean {
    return this.#state === "served";
  }

  get address(): ListenAddress | undefined {
    return this.#address;
  }

  /** The present run, or the last one. */
  get run(): Run {
    return this.#run;
  }

  /** What is to be awaited before the first request is answered. */
  get loading(): Promise<void> | undefined {
    return this.#loading;
  }

  /** Turns `active` on or off. A stop waits no longer than `shutdownTimeout` for files that are being read. */
  activate(active: boolean): Promise<void> {
    const patience = active ? undefined : setTimeout(() => this.#interrupt(), this.#parameters.shutdownTimeout * 1000);
    return this.#requested(active ? "start" : "stop", () => {
      clearTimeout(patience);
      this.#refuseIfServed();
      return this.#apply({ active });
    });
  }

  restart(): Promise<void> {
    return this.#requested("restart", async () => {
      this.#refuseIfServed();
      const parameters = this.#parameters;
      if (this.#comeback) await this.#retry(parameters);
      else if (this.active) await this.#anew(parameters, (files) => this.#replace(parameters, files));
    });
  }

  /** @param change That it is right was checked, or is still to be seen */
  set(change: Promise<Partial<WebServerParameters>>): Promise<void> {
    change.catch(() => {});
    return this.#requested("set", async () => await this.#apply(await change));
  }

  /** `deno serve` has a listener. */
  serve(address: ListenAddress | undefined): void {
    this.#address = address;
    this.#state = "served";
    this.#listened = true;
    this.#begin(address, true);
    const parameters = this.#parameters;
    if (!isModule(parameters.callbacks)) return this.#begun();
    this.#loading = this.#transition("start", () => this.#anew(parameters, (files) => this.#take(parameters, files)))
      .catch(() => {})
      .finally(() => {
        this.#loading = undefined;
        this.#begun();
      });
  }

  /** `deno serve` ends: the server stops, as far as it is its own. */
  endServed(): Promise<void> {
    this.#interrupt();
    // At once: `deno serve` closes what it still finds open, without a callback.
    const ended = this.#run.end(this.#parameters.shutdownTimeout * 1000);
    return this.#transition("stop", async () => {
      await this.#close(ended);
      await this.#take(this.#parameters, undefined);
    });
  }

  /** Queues a change of state that the user asks for. What goes wrong is printed unless the user awaits it, and so is told by its rejection. */
  #requested(name: string, step: () => Promise<void>): Promise<void> {
    return ObservedPromise.of((isObserved) => this.#transition(name, step, isObserved));
  }

  /** Queues a change of state. */
  #transition(name: string, step: () => Promise<void>, isObserved = () => false): Promise<void> {
    const result = this.#transitions.then(async () => {
      if (this.#pause > 0) await sleep(this.#pause);
      try {
        await step();
        this.#pause = 0;
      } catch (error) {
        this.#pause = Math.min(Math.max(FIRST_PAUSE, this.#pause * 2), LONGEST_PAUSE);
        await sleep(0);
        this.#cooks.report(error, name, isObserved());
        throw error;
      } finally {
        await flushConsole(FLUSH);
      }
    });
    this.#transitions = result.catch(() => {});
    return result;
  }

  #refuseIfServed(): void {
    if (this.served) {
      throw new Error("Cannot start, stop or move this server: `deno serve` owns its listener, by --port and --host");
    }
  }

  async #apply(change: Partial<WebServerParameters>): Promise<void> {
    const before = this.#parameters;
    const wanted = changed(before, change);
    const differs = (name: keyof WebServerParameters) =>
      wanted[name] !== before[name] && (name === "callbacks" || String(wanted[name]) !== String(before[name]));
    const moved = LISTENER_PARAMETERS.some((name) => differs(name) && wanted[name] !== this.#address?.[name as "port"]);
    if (moved || differs("active")) this.#refuseIfServed();
    if (!wanted.active) {
      if (this.#comeback) this.#endComeback();
      else if (before.active) await this.#close();
      await this.#take(wanted, undefined);
    } else if (this.#comeback && (moved || change.active)) {
      await this.#retry(wanted);
    } else if (!before.active) {
      await this.#anew(wanted, (files) => this.#open(wanted, files));
    } else if (moved || FILE_PARAMETERS.some(differs)) {
      await this.#anew(wanted, (files) => this.#exchange(wanted, files, moved));
    } else {
      await this.#take(wanted, this.#files);
    }
  }

  /** Reads the files that parameters name, and uses them; where that fails, they are let go. */
  async #anew(parameters: WebServerParameters, use: (files: Files) => Promise<void>): Promise<void> {
    const files = await this.#unlessStopped(
      readFiles(parameters, (what, missing) => this.#saved(what, missing)),
      letGo,
    );
    try {
      await use(files);
    } catch (error) {
      if (this.#files !== files) await files.watcher?.[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Waits for files, until a stop waits for them. What comes later is let go. */
  async #unlessStopped<Value>(reading: Promise<Value>, discard?: (value: Value) => unknown): Promise<Value> {
    const { promise: stopped, reject } = Promise.withResolvers<never>();
    let interrupted = false;
    this.#interrupt = () => {
      interrupted = true;
      reject(new Error("The server was stopped before its files were read"));
    };
    reading.then((value) => interrupted && discard?.(value)).catch(() => {});
    try {
      return await Promise.race([reading, stopped]);
    } finally {
      this.#interrupt = () => {};
    }
  }

  /** A file that is watched was saved: it is taken if it can be used. */
  #saved(what: Saved, missing?: string): void {
    if (missing !== undefined) {
      return this.#cooks.warn("missing", `"${missing}" is missing: the server goes on with what it has read`);
    }
    this.#transition(what, async () => {
      const files = this.#files;
      if (!this.#parameters.active || files === undefined) return;
      if (what === "callbacks") {
        await this.#take(this.#parameters, {
          ...files,
          callbacks: await this.#unlessStopped(readCallbacks(this.#parameters)),
        });
      } else {
        const certificate = await this.#unlessStopped(certificateOf(this.#parameters));
        await this.#exchange(this.#parameters, { ...files, certificate }, false);
      }
      print("log", `${this.#parameters.name}: ${IN_USE[what]}`);
    });
  }

  /** Goes over to other parameters and files: in place, unless they take another listener. */
  async #exchange(wanted: WebServerParameters, files: Files, moved: boolean): Promise<void> {
    if (moved) await this.#move(wanted, files);
    else if (this.served || this.#comeback || isSame(files.certificate, this.#files?.certificate)) {
      await this.#take(wanted, files);
    } else await this.#replace(wanted, files);
  }

  /** Listens on the new address before the old one is left, so that one which cannot be had changes nothing. */
  async #move(wanted: WebServerParameters, files: Files): Promise<void> {
    const { port } = this.#address!;
    const wantedPort = wanted.port === this.#parameters.port ? port : wanted.port;
    let next: Listener | undefined;
    try {
      next = this.#listen(wanted, files, wantedPort);
    } catch (error) {
      // The port may be taken by ourselves, on an address that overlaps; then the old one has to be left first.
      if (!(error instanceof Deno.errors.AddrInUse && wantedPort === port)) throw error;
    }
    await this.#replace(wanted, files, wantedPort, next);
  }

  /** Stops, and starts with other parameters and files, or again with those it had. */
  async #replace(
    wanted: WebServerParameters,
    files: Files,
    port = this.#address!.port,
    next?: Listener,
  ): Promise<void> {
    const before = this.#parameters;
    const filesBefore = this.#files!;
    const portBefore = this.#address!.port;
    await this.#close();
    try {
      await this.#open(wanted, files, port, next);
    } catch (error) {
      try {
        await this.#open(before, filesBefore, portBefore);
      } catch {
        this.#parameters = changed(before, { active: true });
        this.#comeBack(portBefore);
        throw lost(error);
      }
      throw error;
    }
  }

  /** Tries to listen again, until it can or is told otherwise: another program has taken the port in between. */
  #comeBack(port: number, wait = FIRST_PAUSE): void {
    const timer = setTimeout(() => {
      this.#transitions = this.#transitions.then(async () => {
        // It was started or stopped meanwhile.
        if (this.#comeback?.timer !== timer) return;
        try {
          await this.#open(this.#parameters, this.#files!, port);
          this.#endComeback();
          this.#cooks.warn("comeback", `The server listens again on ${this.#address?.url}`);
        } catch {
          this.#comeBack(port, Math.min(wait * 2, LONGEST_PAUSE));
        }
      });
    }, wait);
    this.#comeback = { port, timer };
  }

  #endComeback(): void {
    clearTimeout(this.#comeback?.timer);
    this.#comeback = undefined;
  }

  /** Tries to listen again at once, perhaps with other parameters. */
  async #retry(wanted: WebServerParameters): Promise<void> {
    const port = wanted.port === this.#parameters.port ? this.#comeback!.port : wanted.port;
    await this.#anew(wanted, (files) => this.#open(wanted, files, port));
    this.#endComeback();
  }

  #listen({ localaddress }: WebServerParameters, { certificate }: Files, port: number): Listener {
    return listen({
      localaddress,
      port,
      certificate,
      handler: this.#handler(),
      onError: (error) => {
        // Of which there was a warning.
        if (error instanceof Stalled) return refusal(500);
        // Of a body that a callback sends back as it comes.
        const fault = faultOf(error);
        if (fault) return refusal(fault.status, fault.detail);
        this.#cooks.report(error, "onHTTPRequest");
        return refusal(500);
      },
      onEnd: (error) => this.#cooks.report(error, "start"),
    });
  }

  async #open(
    wanted: WebServerParameters,
    files: Files,
    port = wanted.port,
    listener = this.#listen(wanted, files, port),
  ): Promise<void> {
    this.#listener = listener;
    this.#listened = true;
    this.#address = listener.address;
    this.#state = "running";
    const taken = this.#take(changed(wanted, { active: true }), files);
    // At once, since requests come from now on.
    this.#begin(listener.address, files.certificate !== undefined);
    await taken;
    for (const warning of files.certificate?.warnings ?? []) this.#cooks.warn("certificate", warning);
    this.#begun();
  }

  /** From now on these parameters and files count. */
  async #take(parameters: WebServerParameters, files: Files | undefined): Promise<void> {
    const watcher = this.#files?.watcher;
    this.#parameters = parameters;
    this.#files = files;
    const { callbacks } = this.#cooks;
    if (files) this.#cooks.callbacks = files.callbacks;
    else if (!isModule(parameters.callbacks)) this.#cooks.callbacks = parameters.callbacks;
    if (this.#cooks.callbacks !== callbacks) this.#cooks.forgetPrinted();
    this.#run.configure();
    if (watcher !== files?.watcher) await watcher?.[Symbol.asyncDispose]();
  }

  #begin(listening: Address | undefined, secure: boolean): void {
    keepFreedMemory();
    surviveLongTexts();
    this.#run = new Run(this.#operator, listening, secure);
    this.#cooks.reset();
    this.#cooks.clock.reset();
    this.#parameters = changed(this.#parameters, { active: true });
  }

  #begun(): void {
    this.#cooks.run("onServerStart", []);
  }

  /** @param ended The end of the run, if it has begun */
  async #close(ended?: Promise<void>): Promise<void> {
    const listener = this.#listener;
    const time = this.#parameters.shutdownTimeout * 1000;
    const start = performance.now();
    this.#state = "stopping";
    await (ended ?? this.#run.end(time));
    this.#listener = undefined;
    await listener?.close();
    this.#parameters = changed(this.#parameters, { active: false });
    const left = Math.max(LEAST_STOP, time - (performance.now() - start));
    await within(left, Promise.resolve(this.#cooks.run("onServerStop", [])));
    this.#cooks.tellDropped();
    this.#address = undefined;
    this.#state = "stopped";
  }
}

async function letGo({ watcher }: Files): Promise<void> {
  await watcher?.[Symbol.asyncDispose]();
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** The error of a server that could not go back to the port it had, of the same kind. */
function lost(cause: unknown): unknown {
  if (!(cause instanceof Error)) return cause;
  const Kind = cause.constructor as ErrorConstructor;
  return new Kind(`${cause.message}. The server has lost its port and tries to listen again; stop() ends that`, {
    cause,
  });
}
