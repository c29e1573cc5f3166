// deno run --allow-net --allow-read=. --allow-write=. --allow-env=PANEL_PASSWORD,PANEL_STATE,TOUCHDESIGNER_PORT examples/remote_panel/main.ts
//
// A remote control: phones and desktops move sliders, buttons and a colour, and TouchDesigner gets every change.
//
// The password is in the environment variable PANEL_PASSWORD. Without it, a new password is made and printed at each start.
// For a show, set one: then panels reconnect by themselves even after this program was restarted. Over http, anyone in the
// network can read the password. Outside of your own network, add the parameters secure, privatekey and certificate.
//
// The page at http://127.0.0.1:9985/ says how to connect TouchDesigner (see also docs/touchdesigner.md). Beside the link's
// DATs, make a Base COMP named "panel" with these custom parameters. A warning names each one that is missing:
//
//   Brightness, Speed, Spread            Float, 0 to 1
//   Color                                RGB, which makes Colorr, Colorg and Colorb
//   Scene                                Int, 1 to 4
//   Blackout                             Toggle
//   Flash                                Pulse
//
// A fader in TouchDesigner moves the faders of all panels: op('deno').module.send('brightness', 0.5).
//
// The values are kept in the file named by the variable PANEL_STATE, or else in remote_panel_state.json. They are restored
// when the program or TouchDesigner starts again.
//
// Panels send and get text messages with a JSON object of values by name. Each panel gets all values when it connects, then
// every change, even its own. A change may have several values.
//
//   {"brightness":0.8,"speed":0.25,"spread":0.5}    0 to 1
//   {"color":[1,0.6,0.2]}                           red, green and blue, 0 to 1
//   {"scene":2,"blackout":false}                    1 to 4; true or false
//   {"flash":true}                                  a pulse: passed on, not kept
//   {"panels":2,"touchdesigner":true}               who is connected; only the server sends this

import { createHmac } from "node:crypto";
import { type Callbacks, type RequestDictionary, WebServer } from "@webserver-dat/server";
import { TouchDesigner } from "@webserver-dat/server/touchdesigner";
import { pages } from "../pages/pages.ts";
import { randomPassword } from "../pages/password.ts";
import page from "./page.html" with { type: "text" };
import script from "./panel.js" with { type: "text" };
import style from "./panel.css" with { type: "text" };
import { StateFile } from "./state_file.ts";

const given = Deno.env.get("PANEL_PASSWORD");
const password = given || randomPassword();

/** Made from the password, so that the cookie proves the password without containing it. */
const key = createHmac("sha256", password).update("cookie").digest("hex");

const users = { operator: password };
const keys = { cookie: key };
const cookie = btoa(`cookie:${key}`);

/** The values of all controls. They are kept here and not in the panels, which keeps panels in step. */
const state: Record<string, unknown> = {
  brightness: 0.8,
  speed: 0.25,
  spread: 0.5,
  color: [1, 0.55, 0.15],
  scene: 1,
  blackout: false,
};

const isLevel = (value: unknown) => typeof value === "number" && value >= 0 && value <= 1;

/** The values that each control accepts. Nothing else reaches TouchDesigner. */
const takes: Readonly<Record<string, (value: unknown) => boolean>> = {
  brightness: isLevel,
  speed: isLevel,
  spread: isLevel,
  color: (value) => Array.isArray(value) && value.length === 3 && value.every(isLevel),
  scene: (value) => [1, 2, 3, 4].some((scene) => scene === value),
  blackout: (value) => typeof value === "boolean",
  flash: (value) => value === true,
};

/** The valid values of a message. */
function changeOf(message: string): Record<string, unknown> {
  let values: unknown;
  try {
    values = JSON.parse(message);
  } catch {
    return {};
  }
  // hasOwn: "constructor" is not a control.
  return Object.fromEntries(
    Object.entries(values ?? {}).filter(([name, value]) => Object.hasOwn(takes, name) && takes[name]!(value)),
  );
}

const file = new StateFile(Deno.env.get("PANEL_STATE") || "remote_panel_state.json", () => state);

/** Sends values to TouchDesigner. While it is not connected, the link keeps them; a flash would come too late. */
function toTouchDesigner({ color, flash, ...others }: Record<string, unknown>): void {
  const { par } = touchDesigner.op("panel");
  for (const [name, value] of Object.entries(others)) par[name[0]!.toUpperCase() + name.slice(1)] = value;
  if (color !== undefined) [par.Colorr, par.Colorg, par.Colorb] = color as number[];
  if (flash && touchDesigner.connected) par.Flash.pulse();
}

/** Applies values from a panel or from TouchDesigner. */
function change(values: Record<string, unknown>): void {
  if (Object.keys(values).length === 0) return;
  const { flash: _pulse, ...kept } = values;
  if (Object.keys(kept).length > 0) {
    Object.assign(state, kept);
    file.save();
  }
  toTouchDesigner(values);
  // To the sender too: if two people move the same slider, both panels end at the last value.
  for (const client of server.webSocketConnections) send(client, values);
}

function send(client: string, values: Record<string, unknown>): void {
  // A client that cannot keep up has missed a change. It reconnects, and gets all values again.
  if (!server.webSocketSendText(client, JSON.stringify(values))) server.webSocketClose(client, 1013, "Too slow");
}

/** Tells all panels how many they are, and whether TouchDesigner is connected. */
function tellWhoIsThere(): void {
  const clients = server.webSocketConnections;
  for (const client of clients) send(client, { panels: clients.length, touchdesigner: touchDesigner.connected });
}

/** Whether the request has the cookie that was set with the page. Safari sends no password with a WebSocket. */
function comesFromPage(webServer: WebServer, request: RequestDictionary): boolean {
  const sent = request["Cookie"]?.split("; ").find((cookie) => cookie.startsWith("remote_panel="));
  return webServer.authenticateBasic(sent?.slice("remote_panel=".length), keys);
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
    response["Set-Cookie"] = `remote_panel=${cookie}; HttpOnly; SameSite=Strict; Path=/${secure}`;
    return answer(request, response);
  },

  // A WebSocket is accepted if the status stays 101.
  onWebSocketRequest(webServer, request, response) {
    if (request.uri !== "/panel") {
      response.statusCode = 404;
    } else if (
      !webServer.authenticateBasic(request["Authorization"], users) && !comesFromPage(webServer, request)
    ) {
      // Not 401: Safari would ask for the password in the middle of a show.
      response.statusCode = 403;
    }
  },

  onWebSocketOpen(_webServer, client) {
    send(client, state);
    tellWhoIsThere();
  },

  onWebSocketClose: () => tellWhoIsThere(),

  onWebSocketReceiveText(webServer, client, data) {
    // The heartbeat of connection.js
    if (data === "") webServer.webSocketSendText(client, "");
    else change(changeOf(data));
  },

  onServerStop: () => file.flush(),
};

/** The server. A phone that fell asleep is disconnected after `idleTimeout` seconds. */
export const server = new WebServer({ name: "remote_panel", callbacks, idleTimeout: 15, maxMessageSize: 4096 });

const saved = changeOf(JSON.stringify(file.read()));
delete saved.flash;
Object.assign(state, saved);

// Started before the link: DENO_SERVE_ADDRESS moves the first server of a program.
const started = import.meta.main ? server.start() : undefined;

/** The link to TouchDesigner. */
export const touchDesigner = new TouchDesigner({
  port: Number(Deno.env.get("TOUCHDESIGNER_PORT") || 9985),
  onConnect: () => tellWhoIsThere(),
  onDisconnect: () => tellWhoIsThere(),
  onMessage: (name, value) => change(changeOf(JSON.stringify({ [name]: value }))),
});

toTouchDesigner(state);

if (import.meta.main) {
  // Write the last changes before Ctrl-C or a service manager ends the program.
  for (const signal of ["SIGINT", Deno.build.os === "windows" ? "SIGBREAK" : "SIGTERM"] as const) {
    Deno.addSignalListener(signal, async () => {
      await server.stop();
      Deno.exit();
    });
  }
  await started;
  console.log(`Open ${server.address!.url} as operator, password ${given ? "as in PANEL_PASSWORD" : password}`);
  await touchDesigner.listening;
  console.log(`For TouchDesigner, open ${touchDesigner.address!.url}`);
}
