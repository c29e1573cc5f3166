// deno run --allow-net --allow-env=PANEL_PASSWORD examples/remote_panel/main.ts
//
// A remote control: phones and desktops turn sliders, buttons and a colour, and a renderer gets every change.
//
// The password is that of the variable PANEL_PASSWORD or, without one, made anew and printed at each start. For a show set
// one: panels then come back by themselves even when this program is started again. Basic authentication over http can be
// read by the network it crosses: outside of a network of your own, add the parameters secure, privatekey and certificate.
//
// The messages are JSON, as text: an object of values by name. Everyone gets all values when connecting, then every change,
// one's own included. A change may hold several values. Anyone may send one, renderers too.
//
//   {"brightness":0.8,"speed":0.25,"spread":0.5}    0 to 1
//   {"color":[1,0.6,0.2]}                           red, green and blue, 0 to 1
//   {"scene":2,"blackout":false}                    1 to 4; true or false
//   {"flash":true}                                  a pulse: passed on, not kept
//   {"panels":2,"renderers":1}                      who is connected; to panels only
//
// In TouchDesigner, a WebSocket DAT takes the printed address ws://.../renderer?token=... as its Network Address, the port
// as its Network Port, and this as its callbacks, with custom parameters of these names on the component it is in. (Written
// from the documentation of the DAT; our tests have other clients.)
//
//   import json
//
//   def onReceiveText(dat, rowIndex, message):
//       for name, value in json.loads(message).items():
//           if name == 'color':
//               parent().par.Colorr, parent().par.Colorg, parent().par.Colorb = value
//           elif name == 'flash':
//               parent().par.Flash.pulse()
//           else:
//               setattr(parent().par, name.capitalize(), value)
//
//   def onReceivePing(dat, contents):
//       dat.sendPong(contents)  # who does not answer is taken for gone
//
//   def onDisconnect(dat):
//       run('args[0].par.active = False; args[0].par.active = True', dat, delayFrames=120)

import { createHmac } from "node:crypto";
import { type Callbacks, type RequestDictionary, WebServer } from "@webserver-dat/server";
import { pages } from "../pages/pages.ts";
import { randomPassword } from "../pages/password.ts";
import page from "./page.html" with { type: "text" };
import script from "./panel.js" with { type: "text" };
import style from "./panel.css" with { type: "text" };

const given = Deno.env.get("PANEL_PASSWORD");
const password = given || randomPassword();

/** What only this program can make of the password, so that it need not be shown where a password should not be. */
function key(purpose: string): string {
  return createHmac("sha256", password).update(purpose).digest("hex");
}

const users = { operator: password };
const keys = { cookie: key("cookie"), renderer: key("renderer") };
const token = (user: keyof typeof keys) => btoa(`${user}:${keys[user]}`);

/** Where a renderer connects that sends no password. */
export const rendererUri = `/renderer?token=${token("renderer")}`;

/** The state is here, not in the panels: that is what keeps them in step, and what a new one starts from. */
const state: Record<string, unknown> = {
  brightness: 0.8,
  speed: 0.25,
  spread: 0.5,
  color: [1, 0.55, 0.15],
  scene: 1,
  blackout: false,
};

const isLevel = (value: unknown) => typeof value === "number" && value >= 0 && value <= 1;

/** What each control takes. Anything else never reaches the renderer. */
const takes: Readonly<Record<string, (value: unknown) => boolean>> = {
  brightness: isLevel,
  speed: isLevel,
  spread: isLevel,
  color: (value) => Array.isArray(value) && value.length === 3 && value.every(isLevel),
  scene: (value) => [1, 2, 3, 4].some((scene) => scene === value),
  blackout: (value) => typeof value === "boolean",
  flash: (value) => value === true,
};

/** The values of a message that can be taken. */
function changeOf(message: string): Record<string, unknown> {
  let values: unknown;
  try {
    values = JSON.parse(message);
  } catch {
    return {};
  }
  // hasOwn: "constructor" is no control.
  return Object.fromEntries(
    Object.entries(values ?? {}).filter(([name, value]) => Object.hasOwn(takes, name) && takes[name]!(value)),
  );
}

const clients = new Map<string, "panel" | "renderer">();

function send(webServer: WebServer, client: string, values: Record<string, unknown>): void {
  // Who takes nothing any more missed a change: it is to connect again, and starts from the whole state.
  if (!webServer.webSocketSendText(client, JSON.stringify(values))) webServer.webSocketClose(client, 1013, "Too slow");
}

/** Panels say whether a renderer is there. */
function tellWhoIsThere(webServer: WebServer): void {
  const roles = [...clients.values()];
  const panels = roles.filter((role) => role === "panel").length;
  for (const [client, role] of clients) {
    if (role === "panel") send(webServer, client, { panels, renderers: roles.length - panels });
  }
}

/** A panel is one by the cookie that came with its page: Safari sends no password with a WebSocket. */
function comesFromPage(webServer: WebServer, request: RequestDictionary): boolean {
  const cookie = request["Cookie"]?.split("; ").find((cookie) => cookie.startsWith("remote_panel="));
  return webServer.authenticateBasic(cookie?.slice("remote_panel=".length), keys);
}

const answer = pages({
  "/": ["page.html", page],
  "/panel.js": ["panel.js", script],
  "/panel.css": ["panel.css", style],
});

const callbacks: Callbacks = {
  onHTTPRequest(webServer, request, response) {
    if (!webServer.authenticateBasic(request["Authorization"], users)) {
      response.statusCode = 401;
      response.data = "This panel has a password";
      response["WWW-Authenticate"] = 'Basic realm="Remote panel", charset="UTF-8"';
      return response;
    }
    const secure = webServer.address?.url.startsWith("https:") ? "; Secure" : "";
    response["Set-Cookie"] = `remote_panel=${token("cookie")}; HttpOnly; SameSite=Strict; Path=/${secure}`;
    return answer(request, response);
  },

  // Called before a WebSocket is accepted: 101 lets it in.
  onWebSocketRequest(webServer, request, response) {
    const { uri, pars } = request;
    if (uri !== "/panel" && uri !== "/renderer") {
      response.statusCode = 404;
    } else if (
      !webServer.authenticateBasic(request["Authorization"], users) && !comesFromPage(webServer, request) &&
      // The WebSocket DAT sends no headers of one's own, so that a renderer may have its token in the address.
      !(uri === "/renderer" && webServer.authenticateBasic(pars.token, keys))
    ) {
      // Not 401: Safari would ask for the password over a panel in use.
      response.statusCode = 403;
    }
  },

  onWebSocketOpen(webServer, client, uri) {
    clients.set(client, uri.startsWith("/panel") ? "panel" : "renderer");
    send(webServer, client, state);
    tellWhoIsThere(webServer);
  },

  onWebSocketClose(webServer, client) {
    clients.delete(client);
    tellWhoIsThere(webServer);
  },

  onWebSocketReceiveText(webServer, client, data) {
    // The heartbeat of connection.js
    if (data === "") {
      webServer.webSocketSendText(client, "");
      return;
    }
    const change = changeOf(data);
    if (Object.keys(change).length === 0) return;
    const { flash: _pulse, ...kept } = change;
    Object.assign(state, kept);
    // The sender too: of two thumbs on one slider, the one that came last counts for both.
    for (const other of clients.keys()) send(webServer, other, change);
  },
};

/** The server. A phone that fell asleep and a renderer whose cable is out are gone after `idleTimeout` seconds. */
export const server = new WebServer({ name: "remote_panel", callbacks, idleTimeout: 15, maxMessageSize: 4096 });

if (import.meta.main) {
  await server.start();
  const url = server.address!.url;
  console.log(`Open ${url} as operator, password ${given ? "as in PANEL_PASSWORD" : password}`);
  console.log(`A renderer connects to ${new URL(rendererUri, url.replace("http", "ws"))}`);
}
