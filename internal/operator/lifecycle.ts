/** The life cycle: a server stops, runs, or wants its port back, and its parameters change meanwhile. */

import type { Address } from "../engine/address.ts";
import { surviveLongTexts } from "../engine/deno.ts";
import { faultOf } from "../engine/fault.ts";
import { listen, type ListenAddress, type Listener } from "../engine/listener.ts";
import { refusal } from "../engine/answer.ts";
import type { Engine } from "../engine/engine.ts";
import { Run } from "../engine/run.ts";
import { Stalled } from "../engine/sending.ts";
import { within } from "../engine/within.ts";
import { keepTrying, lostPort } from "./comeback.ts";
import { print } from "./console.ts";
import type { Cooks } from "./cooks.ts";
import { certificateOf, type Files, isModule, isSame, readCallbacks, readFiles, release, type Saved } from "./files.ts";
import { CallbackHooks } from "./hooks.ts";
import type { LiveParameters } from "./live_parameters.ts";
import { ObservedPromise } from "./observed_promise.ts";
import { changed, differing } from "./parameter_change.ts";
import type { WebServerParameters } from "./parameters.ts";
import { Patience } from "./patience.ts";
import type { Running, State } from "./state.ts";
import { Transitions } from "./transitions.ts";

/** `DENO_SERVE_ADDRESS` has moved the first listener. Deno does that once only, and a restart must not open what it has closed. */
interface Moved {
  readonly from: Address;
  readonly to: Address;
}

/** The message about a file that was saved and is used now. */
const IN_USE: Record<Saved, string> = {
  callbacks: "The saved callbacks are in use",
  certificate: "The saved certificate is in use",
};
/** What is said after the reason why it cannot be used. */
const KEPT: Record<Saved, string> = {
  callbacks: "The callbacks from before stay in use",
  certificate: "The certificate from before stays in use",
};

/** Milliseconds that `onServerStop` has at least. */
const LEAST_STOP = 500;

/** The life of one server. */
export class Lifecycle {
  readonly #cooks: Cooks;
  readonly #engine: Engine;
  readonly #handler: () => Deno.ServeHandler;
  readonly #transitions: Transitions;
  readonly #patience = new Patience();
  readonly #live: LiveParameters;
  #state: State = { is: "stopped", fresh: true };
  #moved: Moved | undefined;
  #run: Run;

  /** @param handler Returns the function that answers requests; each new listener asks for it */
  constructor(cooks: Cooks, live: LiveParameters, handler: () => Deno.ServeHandler) {
    this.#cooks = cooks;
    this.#live = live;
    this.#handler = handler;
    this.#transitions = new Transitions((error, name, isTold) => cooks.report(error, name, isTold));
    this.#engine = {
      hooks: new CallbackHooks(cooks),
      settings: live,
      deadlines: cooks.deadlines,
      slots: { taken: 0 },
    };
    this.#run = new Run(this.#engine, undefined);
  }

  get active(): boolean {
    return this.#state.is === "running" || this.#state.is === "served";
  }

  /** Whether it has never had a listener. */
  get fresh(): boolean {
    return this.#state.is === "stopped" && this.#state.fresh;
  }

  get served(): boolean {
    return this.#state.is === "served";
  }

  get address(): ListenAddress | undefined {
    const state = this.#state;
    if (state.is === "running") return state.listener.address;
    return state.is === "served" || state.is === "stopping" ? state.address : undefined;
  }

  /** The present run, or the last one. */
  get run(): Run {
    return this.#run;
  }

  /** Await this before you answer the first request. */
  get loading(): Promise<void> | undefined {
    return this.#state.is === "served" ? this.#state.loading : undefined;
  }

  get #files(): Files | undefined {
    return "files" in this.#state ? this.#state.files : undefined;
  }

  /** Turns `active` on or off. A stop waits no longer than `shutdownTimeout` for files that are being read. */
  activate(active: boolean): Promise<void> {
    const patience = active ? undefined : this.#patience.limit(this.#live.current.shutdownTimeout * 1000);
    return this.#requested(active ? "start" : "stop", async () => {
      patience?.[Symbol.dispose]();
      this.#refuseIfServed();
      await this.#change({ active });
    });
  }

  restart(): Promise<void> {
    return this.#requested("restart", async () => {
      this.#refuseIfServed();
      if (this.#live.current.active) await this.#change({}, { relisten: true });
    });
  }

  /** @param change Rejects if it is not a valid change */
  set(change: Promise<Partial<WebServerParameters>>): Promise<void> {
    change.catch(() => {});
    return this.#requested("set", async () => await this.#change(await change));
  }

  /** Queues a change that the program asks for. A failure is printed only if the program does not wait for the promise, which rejects. */
  #requested(name: string, change: () => Promise<void>): Promise<void> {
    return ObservedPromise.of((isObserved) => this.#transitions.add(name, change, isObserved));
  }

  /**
   * `deno serve` has a listener for this server.
   *
   * @throws {Error} If the server has one already
   */
  serve(address: ListenAddress | undefined): void {
    if (!this.served && this.#state.is !== "stopped") {
      throw new Error(
        "Cannot serve by `deno serve`: the server has been started already. Leave out server.start(), or run the program " +
          "by `deno run`",
      );
    }
    this.#state = { is: "served", address, files: this.#files, loading: undefined };
    this.#live.current = changed(this.#live.current, { active: true });
    this.#begin(address);
    if (!isModule(this.#live.current.callbacks)) return this.#begun();
    const loading = this.#transitions.add("start", () => this.#change({}, { read: () => this.#read() }))
      .catch(() => {})
      .finally(() => {
        if (this.#state.is === "served") this.#state = { ...this.#state, loading: undefined };
        this.#begun();
      });
    this.#state = { ...this.#state, loading };
  }

  /** `deno serve` ends: the server stops, except for the listener. */
  endServed(): Promise<void> {
    const patience = this.#patience.limit(0);
    // At once, since `deno serve` closes the connections that it still finds open, without a callback.
    const ended = this.#run.end(this.#live.current.shutdownTimeout * 1000);
    return this.#transitions.add("stop", async () => {
      patience[Symbol.dispose]();
      const held = this.#files;
      await this.#leave(ended);
      await this.#releaseUnused(held);
    });
  }

  #refuseIfServed(): void {
    if (this.served) {
      throw new Error("Cannot start, stop or move this server: `deno serve` owns its listener, by --port and --host");
    }
  }

  /**
   * Changes parameters, files or the listener: every change of the server's life, from top to bottom.
   *
   * @param relisten Whether to go over to a new listener, even if no parameter needs one
   * @param read Reads files, even if no parameter needs that
   */
  async #change(
    change: Partial<WebServerParameters>,
    { relisten = false, read }: { relisten?: boolean; read?: () => Promise<Files> } = {},
  ): Promise<void> {
    const state = this.#state;
    const before = this.#live.current;
    const wanted = changed(before, change);
    // A port that does not change stays the real one, also if the parameter says 0.
    const present = state.is === "running" ? state.listener.address.port : state.is === "lost" ? state.port : undefined;
    const port = present !== undefined && wanted.port === before.port ? present : wanted.port;

    const moves = differing(before, wanted, "listener").some((name) =>
      name !== "port" || wanted.port !== this.address?.port
    );
    if (moves || wanted.active !== before.active) this.#refuseIfServed();
    const listens = moves || relisten || state.is === "stopped" || (state.is === "lost" && change.active === true);

    const held = this.#files;
    let files: Files | undefined;
    try {
      if (!wanted.active) {
        await this.#leave();
        return this.#adopt(wanted);
      }
      // In place, if nothing has to be read.
      if (!listens && !read && differing(before, wanted, "files").length === 0) return this.#adopt(wanted, held);

      // If a file cannot be read, or the address is taken, this throws before anything has changed.
      files = await this.#patience.wait(read ? read() : this.#read(wanted), (late) => this.#releaseUnused(late));
      const sameCertificate = state.is !== "running" || isSame(files.certificate, state.files.certificate);
      if (!listens && sameCertificate) return this.#adopt(wanted, files);

      // Listen on the new address before the old one is left. `deno serve` may have taken over while the files were read.
      this.#refuseIfServed();
      let listener: Listener | undefined;
      try {
        listener = this.#listen(wanted, files, port);
      } catch (error) {
        // The listener that the server has may be in the way: then it has to be closed first.
        const inOwnWay = state.is === "running" && port === present && error instanceof Deno.errors.AddrInUse;
        if (!inOwnWay) throw error;
      }

      // From the old listener to the new one, or back.
      await this.#leave();
      try {
        this.#start(wanted, files, listener ?? this.#listen(wanted, files, port));
      } catch (error) {
        throw state.is === "running" ? this.#goBack(before, state, error) : error;
      }
    } finally {
      // After the change, these are the old files; if it failed, the new ones.
      await this.#releaseUnused(held);
      await this.#releaseUnused(files);
    }
  }

  #read(parameters: WebServerParameters = this.#live.current): Promise<Files> {
    return readFiles(parameters, (what, missing) => {
      if (missing === undefined) return this.#reload(what);
      this.#cooks.warn("missing", `"${missing}" is missing: the server goes on with what it has read`);
    });
  }

  /** Takes over a watched file that was saved, if it can be used. */
  #reload(what: Saved): void {
    this.#transitions.add(what, async () => {
      const files = this.#files;
      if (files === undefined) return;
      const parameters = this.#live.current;
      const read = what === "callbacks"
        ? async () => ({ ...files, callbacks: await readCallbacks(parameters) })
        : async () => ({ ...files, certificate: await certificateOf(parameters) });
      try {
        await this.#change({}, { read });
      } catch (error) {
        if (error instanceof Error) error.message += `. ${KEPT[what]}`;
        throw error;
      }
      // Key and certificate that are replaced together are two saves, and one change.
      if (what === "certificate" && isSame(files.certificate, this.#files?.certificate)) return;
      print("log", `${parameters.name}: ${IN_USE[what]}`);
    });
  }

  async #releaseUnused(files: Files | undefined): Promise<void> {
    if (files?.watcher !== this.#files?.watcher) await release(files);
  }

  #listen({ localaddress, compression }: WebServerParameters, { certificate }: Files, port: number): Listener {
    const { from, to } = this.#moved ?? {};
    return listen({
      localaddress: to && localaddress === from?.hostname ? to.hostname : localaddress,
      port: to && port === from?.port ? to.port : port,
      certificate,
      compression,
      handler: this.#handler(),
      onError: (error) => {
        // There was a warning of it already.
        if (error instanceof Stalled) return refusal(500);
        // A callback streams the request's body back, and the body turned out to be bad.
        const fault = faultOf(error);
        if (fault) return refusal(fault.status, fault.detail);
        this.#cooks.report(error, "onHTTPRequest");
        return refusal(500);
      },
      onEnd: (error) => this.#cooks.report(error, "start"),
    });
  }

  /** Runs on a listener. Nothing here waits, since requests come from now on. */
  #start(parameters: WebServerParameters, files: Files, listener: Listener): void {
    const { certificate } = files;
    this.#state = { is: "running", listener, files };
    this.#adopt(changed(parameters, { active: true }), files);
    this.#begin(listener.address);
    if (listener.isMoved) {
      this.#moved = { from: { hostname: parameters.localaddress, port: parameters.port }, to: listener.address };
      this.#cooks.warn(
        "moved",
        `DENO_SERVE_ADDRESS moves the server to ${listener.address.url}, whatever its parameters say`,
      );
    }
    for (const warning of certificate?.warnings ?? []) this.#cooks.warn("certificate", warning);
    this.#begun();
  }

  /** From now on these parameters and files count, on the same listener. */
  #adopt(parameters: WebServerParameters, files?: Files): void {
    this.#live.current = parameters;
    const state = this.#state;
    if (files && "files" in state) this.#state = { ...state, files };
    const { callbacks } = this.#cooks;
    if (files) this.#cooks.callbacks = files.callbacks;
    else if (!isModule(parameters.callbacks)) this.#cooks.callbacks = parameters.callbacks;
    if (this.#cooks.callbacks !== callbacks) this.#cooks.forgetPrinted();
    this.#run.configure();
  }

  #begin(listening: Address | undefined): void {
    surviveLongTexts();
    this.#run = new Run(this.#engine, listening);
    this.#cooks.reset();
    this.#cooks.clock.reset();
  }

  #begun(): void {
    this.#cooks.run("onServerStart", []);
  }

  /**
   * Leaves the listener, or ends the attempts to get it back: the server is stopped then.
   *
   * @param ended The end of the run, if it has begun already
   */
  async #leave(ended?: Promise<void>): Promise<void> {
    const state = this.#state;
    if (state.is === "lost") state.comeback[Symbol.dispose]();
    if (state.is === "running" || state.is === "served") {
      const time = this.#live.current.shutdownTimeout * 1000;
      const start = performance.now();
      this.#state = { is: "stopping", address: this.address };
      await (ended ?? this.#run.end(time));
      if (state.is === "running") await state.listener.close();
      this.#live.current = changed(this.#live.current, { active: false });
      const left = Math.max(LEAST_STOP, time - (performance.now() - start));
      await within(left, Promise.resolve(this.#cooks.run("onServerStop", [])));
      this.#cooks.tellDropped();
    }
    if (state.is !== "stopped") this.#state = { is: "stopped", fresh: false };
  }

  /**
   * Starts again as before a change that failed; if the port is gone, tries to get it back.
   *
   * @returns The error to throw
   */
  #goBack(parameters: WebServerParameters, { listener, files }: Running, cause: unknown): unknown {
    const { port } = listener.address;
    try {
      this.#start(parameters, files, this.#listen(parameters, files, port));
      return cause;
    } catch {
      this.#live.current = changed(parameters, { active: true });
      const comeback = keepTrying(() => this.#transitions.addQuietly(() => this.#comeBack()));
      this.#state = { is: "lost", port, files, comeback };
      return lostPort(cause);
    }
  }

  /** Tries to get the port back. Returns whether nothing is left to try. */
  #comeBack(): boolean {
    const state = this.#state;
    if (state.is !== "lost") return true;
    try {
      this.#start(this.#live.current, state.files, this.#listen(this.#live.current, state.files, state.port));
    } catch {
      return false;
    }
    state.comeback[Symbol.dispose]();
    this.#cooks.warn("comeback", `The server listens again on ${this.address?.url}`);
    return true;
  }
}
