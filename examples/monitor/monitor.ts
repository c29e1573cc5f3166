/**
 * A page on which one looks at a running server, and switches it. It is a small server of its own, on a port of its own:
 * one sees the server when it is stopped, full or restarting, can start it again, and does not count among its clients.
 *
 * @module
 */

import { authenticateBasic, type Callbacks, challenge, type UserPasswords, WebServer } from "@webserver-dat/server";
import type { ParameterChange } from "@webserver-dat/server";
import chart from "npm:uplot@1.6.32/dist/uPlot.iife.min.js" with { type: "text" };
import chartStyle from "npm:uplot@1.6.32/dist/uPlot.min.css" with { type: "text" };
import { pages } from "../pages/pages.ts";
import { randomPassword } from "../pages/password.ts";
import { Incidents } from "./incidents.ts";
import chartScript from "./page/charts.js" with { type: "text" };
import page from "./page/monitor.html" with { type: "text" };
import script from "./page/monitor.js" with { type: "text" };
import style from "./page/monitor.css" with { type: "text" };
import { snapshot } from "./snapshot.ts";

/** Who may look, and the parameters of the monitor's own server that are not to be as said here. */
export interface MonitorOptions extends Omit<ParameterChange, "active" | "callbacks"> {
  /** The password of each user. They may see everything here, the source of the callbacks too, and stop the server. */
  readonly users: UserPasswords;
  /**
   * The monitor's own port.
   *
   * @default {the server's port + 1; any free one where the server has any free one}
   */
  readonly port?: number | undefined;
  /**
   * Where the monitor can be reached. For the whole network it is `""`; then let the server be `secure`, or passwords can
   * be read on the way.
   *
   * @default {"127.0.0.1"}
   */
  readonly localaddress?: string | undefined;
  /**
   * The monitor runs.
   *
   * @default {prints its address}
   */
  readonly onServerStart?: (monitor: WebServer) => unknown;
}

/** What the page may do to the server. */
const SWITCHES = ["start", "stop", "restart"] as const;
type Switch = typeof SWITCHES[number];

/** A monitor: the server of the page, and what it knows of the server it watches. */
class Monitor {
  readonly server: WebServer;
  /** What the page has asked for and is under way: one at a time. */
  readonly switching: Switch[] = [];
  readonly #watched: WebServer;
  readonly #incidents: Incidents;
  /** Whether every error of the watched server is told, with its text. */
  readonly #hears: boolean;
  /** The callbacks to show; those of the watched server if absent. */
  readonly #callbacks: Callbacks | undefined;
  readonly #users: UserPasswords;
  // Safari sends no password with a WebSocket: the page, which only users get, brings a ticket for it.
  readonly #tickets = { page: randomPassword() };
  readonly #files = pages({
    "/": ["monitor.html", page.replace("TICKET", encodeURIComponent(btoa(`page:${this.#tickets.page}`)))],
    "/monitor.css": ["monitor.css", chartStyle + style],
    "/monitor.js": ["monitor.js", script],
    "/charts.js": ["charts.js", chartScript],
    "/uplot.js": ["uplot.js", chart],
  });
  /** What each viewer has been sent, by its name: only what has changed is sent again. */
  readonly #sent = new Map<string, Map<string, string>>();

  constructor(watched: WebServer, { users, onServerStart, ...parameters }: MonitorOptions, ear?: {
    incidents: Incidents;
    callbacks: Callbacks;
  }) {
    this.#watched = watched;
    this.#users = users;
    this.#hears = ear !== undefined;
    this.#incidents = ear?.incidents ?? new Incidents();
    this.#callbacks = ear?.callbacks;
    const { name, port, secure, privatekey, certificate, password } = watched.parameters;
    this.server = new WebServer({
      name: `${name}_monitor`,
      port: port > 0 && port < 65535 ? port + 1 : 0,
      localaddress: "127.0.0.1",
      secure,
      privatekey,
      certificate,
      password,
      maxConnections: 16,
      maxMessageSize: 1024,
      ...parameters,
      callbacks: {
        ...this.#page,
        onServerStart: onServerStart ?? ((monitor) => console.log(`${monitor.name}: ${monitor.address?.url}`)),
      },
    });
  }

  readonly #page: Callbacks = {
    onHTTPRequest: (_monitor, request, response) => {
      if (!authenticateBasic(request["Authorization"], this.#users)) {
        response.data = "This page is for the users of the monitor";
        return challenge(response, this.server.name);
      }
      // With its ticket, the page is for no cache.
      return { ...this.#files(request, response), "Cache-Control": "no-store" };
    },

    onWebSocketRequest: (_monitor, request, response) => {
      const admitted = authenticateBasic(request["Authorization"], this.#users) ||
        authenticateBasic(request.pars["ticket"], this.#tickets);
      if (!admitted) response.statusCode = 401;
    },

    onWebSocketOpen: (_monitor, viewer) => {
      this.#sent.set(viewer, new Map());
    },

    onWebSocketClose: (_monitor, viewer) => {
      this.#sent.delete(viewer);
    },

    // The page asks for each look: one that is hidden, gone or slow costs nothing.
    onWebSocketReceiveText: async (monitor, viewer, text) => {
      if (text === "") monitor.webSocketSendText(viewer, "");
      else if (text === "look") monitor.webSocketSendText(viewer, await this.#look(viewer));
      else if (text === "clearErrors") this.#clear();
      // Not awaited: the page goes on looking meanwhile.
      else if (SWITCHES.includes(text as Switch)) this.#switch(viewer, text as Switch);
    },
  };

  /** What is new since the last look, as JSON. */
  async #look(viewer: string): Promise<string> {
    const seen = await snapshot(this.#watched, this.#callbacks);
    this.#incidents.count("warning", seen.info.warnings);
    if (!this.#hears) this.#incidents.count("error", seen.info.errors);
    const parts = { ...seen, incidents: this.#incidents.list(), switching: this.switching };
    const sent = this.#sent.get(viewer) ?? new Map<string, string>();
    const news = Object.entries(parts).map(([name, part]) => [name, JSON.stringify(part)] as const)
      .filter(([name, json]) => sent.get(name) !== json);
    for (const [name, json] of news) sent.set(name, json);
    return `{${news.map(([name, json]) => `"${name}":${json}`).join()}}`;
  }

  #clear(): void {
    this.#watched.clearErrors();
    this.#incidents.clear();
  }

  async #switch(viewer: string, method: Switch): Promise<void> {
    const fail = (message: string) => this.server.webSocketSendText(viewer, JSON.stringify({ failed: message }));
    const [current] = this.switching;
    // Refused rather than kept for later: a viewer could queue restarts without end. The page disables its buttons meanwhile.
    if (current !== undefined) {
      fail(`Cannot ${method} the server: a ${current} is under way`);
      return;
    }
    this.switching.push(method);
    try {
      await this.#watched[method]();
    } catch (error) {
      fail((error as Error).message);
    } finally {
      this.switching.pop();
    }
  }
}

/**
 * The monitor of a server whose callbacks are left alone, as when they are a file: `await monitor(server, { users }).start()`.
 * Errors are counted then, but their texts are on the console only. What is started here is to be stopped here.
 *
 * @param server The server to watch, running or not
 * @param options Who may look, and where the monitor listens
 * @returns The monitor's own server
 */
export function monitor(server: WebServer, options: MonitorOptions): WebServer {
  return new Monitor(server, options).server;
}

/**
 * Callbacks with a monitor in front of them: `new WebServer({ callbacks: monitored(callbacks, { users }) })`.
 *
 * The callbacks run as before, with their own `this`; only `onServerStart`, `onServerStop` and `onError` pass through
 * here. The monitor starts and stops with the server; but where the server was stopped on the page, the monitor stays, so that
 * it can be started there again, and so does the program.
 *
 * @param callbacks An object of callbacks, or the namespace of a module; for one server
 * @param options Who may look, and where the monitor listens
 */
export function monitored(callbacks: Callbacks, options: MonitorOptions): Callbacks {
  const incidents = new Incidents();
  let monitor: Monitor | undefined;

  const ours: Callbacks = {
    onServerStart(webServer) {
      monitor ??= new Monitor(webServer, options, { incidents, callbacks });
      monitor.server.start();
      return callbacks.onServerStart?.(webServer);
    },

    onServerStop(webServer) {
      if (monitor === undefined || monitor.switching.length > 0) return callbacks.onServerStop?.(webServer);
      const stopped = monitor.server.stop();
      monitor = undefined;
      return Promise.all([callbacks.onServerStop?.(webServer), stopped]);
    },

    onError(webServer, error, callbackName) {
      incidents.add(callbackName, error);
      if (callbacks.onError) return callbacks.onError(webServer, error, callbackName);
      // As the server does where there is no onError.
      if (callbackName.startsWith("on")) console.error(`${webServer.name}: ${callbackName} threw`, error);
      else console.error(`${webServer.name}: ${error instanceof Error ? error.message : error}`);
      return undefined;
    },
  };

  // A copy underneath, since a Proxy may not show another function than a frozen object has.
  return new Proxy({ ...callbacks }, {
    get(_copy, name) {
      if (Object.hasOwn(ours, name)) return ours[name as keyof Callbacks];
      const value: unknown = Reflect.get(callbacks, name);
      return typeof value === "function" ? value.bind(callbacks) : value;
    },
  });
}
