/**
 * A page that shows a running server, and starts and stops it. The page comes from a separate small server on another port, so
 * it works when the watched server is stopped, full or restarting, and does not count as one of its clients.
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

/** Who may use the monitor, and parameters of its own server. */
export interface MonitorOptions extends Omit<ParameterChange, "active" | "callbacks"> {
  /** The password of each user. Users see everything, even the source of the callbacks, and can stop the server. */
  readonly users: UserPasswords;
  /**
   * The monitor's own port.
   *
   * @default {the server's port + 1, or any free port if the server's port is 0}
   */
  readonly port?: number | undefined;
  /**
   * The address to listen on. `""` lets the whole network reach the monitor; then the server should be `secure`, or others in
   * the network can read the passwords.
   *
   * @default {"127.0.0.1"}
   */
  readonly localaddress?: string | undefined;
  /**
   * Called when the monitor runs.
   *
   * @default {prints its address}
   */
  readonly onServerStart?: (monitor: WebServer) => unknown;
}

/** The methods of the server that the page can call. */
const SWITCHES = ["start", "stop", "restart"] as const;
type Switch = typeof SWITCHES[number];

/** A monitor: the page's own server, and its knowledge of the watched server. */
class Monitor {
  readonly server: WebServer;
  /** The method that is running at a user's request. It has one entry at most. */
  readonly switching: Switch[] = [];
  readonly #watched: WebServer;
  readonly #incidents: Incidents;
  /** Whether the watched server reports its errors here, with their texts. */
  readonly #hears: boolean;
  /** The callbacks to show; if absent, those of the watched server. */
  readonly #callbacks: Callbacks | undefined;
  readonly #users: UserPasswords;
  // Safari sends no password with a WebSocket. So the page, which only users get, contains a ticket to send instead.
  readonly #tickets = { page: randomPassword() };
  readonly #files = pages({
    "/": ["monitor.html", page.replace("TICKET", encodeURIComponent(btoa(`page:${this.#tickets.page}`)))],
    "/monitor.css": ["monitor.css", chartStyle + style],
    "/monitor.js": ["monitor.js", script],
    "/charts.js": ["charts.js", chartScript],
    "/uplot.js": ["uplot.js", chart],
  });
  /** The parts that each viewer has, by their names. A part is sent again only if it has changed. */
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
        response.data = "The monitor needs a password";
        return challenge(response, this.server.name);
      }
      // No cache may keep the page, since it contains the ticket.
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

    // The page asks for each update, so a page that is hidden, closed or slow costs nothing.
    onWebSocketReceiveText: async (monitor, viewer, text) => {
      if (text === "") monitor.webSocketSendText(viewer, "");
      else if (text === "look") monitor.webSocketSendText(viewer, await this.#look(viewer));
      else if (text === "clearErrors") this.#clear();
      // Not awaited, so that the page still gets updates.
      else if (SWITCHES.includes(text as Switch)) this.#switch(viewer, text as Switch);
    },
  };

  /** The parts that have changed since the viewer's last look, as JSON. */
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
    // Refuse instead of queueing, or a viewer could queue restarts without end. The page disables its buttons meanwhile.
    if (current !== undefined) {
      fail(`Cannot ${method} the server: a ${current} is in progress`);
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
 * Makes a monitor for a server without changing its callbacks, such as callbacks in a file:
 * `await monitor(server, { users }).start()`. It counts errors, but only the console shows their texts. Stop it yourself: it
 * does not stop with the server.
 *
 * @param server The server to watch, running or not
 * @param options Who may use the monitor, and where it listens
 * @returns The monitor's own server
 */
export function monitor(server: WebServer, options: MonitorOptions): WebServer {
  return new Monitor(server, options).server;
}

/**
 * Adds a monitor to callbacks: `new WebServer({ callbacks: monitored(callbacks, { users }) })`.
 *
 * The callbacks run as before, with their own `this`. Only `onServerStart`, `onServerStop` and `onError` are wrapped. The
 * monitor starts and stops with the server. But if a user stops the server on the page, the monitor and the program keep
 * running, so that the user can start the server again.
 *
 * @param callbacks An object of callbacks, or the namespace of a module. Use it for one server only
 * @param options Who may use the monitor, and where it listens
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
      // Print as the server does without onError.
      if (callbackName.startsWith("on")) console.error(`${webServer.name}: ${callbackName} threw`, error);
      else console.error(`${webServer.name}: ${error instanceof Error ? error.message : error}`);
      return undefined;
    },
  };

  // A Proxy cannot replace the functions of a frozen object, so wrap a copy.
  return new Proxy({ ...callbacks }, {
    get(_copy, name) {
      if (Object.hasOwn(ours, name)) return ours[name as keyof Callbacks];
      const value: unknown = Reflect.get(callbacks, name);
      return typeof value === "function" ? value.bind(callbacks) : value;
    },
  });
}
