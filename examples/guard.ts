// deno run --allow-net examples/guard.ts

/**
 * A panel whose page and WebSocket need a password: user "operator", password "stage left".
 *
 * The page asks for the password and sets a cookie, and the WebSocket needs that cookie, since Safari (every browser on an
 * iPhone) sends no password with a WebSocket. A program without a browser does the same: it requests the page with the
 * password, then opens the WebSocket with the cookie.
 *
 * @module
 */

import { type RequestDictionary, type ResponseDictionary, WebServer } from "@webserver-dat/server";
import { challenge, verifyBasic } from "@webserver-dat/server/auth";
import { pages, smallPage } from "./pages/pages.ts";

// Only the hash of each password is stored. `deno run mod.ts hash-password` makes such a line from a password.
const users = {
  operator: "$scrypt$ln=15,r=8,p=3$surmiDYryXReWB711/Vncw$Y4AzxBT2pVLpUWWYF+eElPg8RTuwa75qZyFq3j4LVWc",
};

/** Sessions that are kept; then the oldest ends. */
const MAX_SESSIONS = 1_000;
/** Seconds until a session ends. Then the page must be loaded again. */
const SESSION = 12 * 60 * 60;

/** When each session ends, in milliseconds since 1970, by its token. All last equally long, so the first is the oldest. */
const sessions = new Map<string, number>();

/** Starts a session, and returns its token. */
function startSession(): string {
  const now = Date.now();
  for (const [token, end] of sessions) {
    if (end > now && sessions.size < MAX_SESSIONS) break;
    sessions.delete(token);
  }
  const token = crypto.getRandomValues(new Uint8Array(32)).toHex();
  sessions.set(token, now + SESSION * 1_000);
  return token;
}

/** Whether the request has the cookie of a session. */
function hasSession(request: RequestDictionary): boolean {
  const cookie = request["Cookie"]?.split("; ").find((cookie) => cookie.startsWith("guard="));
  return Date.now() < (sessions.get(cookie?.slice("guard=".length) ?? "") ?? 0);
}

/** Whether the request has the password of a user; if not, the response says so. */
async function hasPassword(request: RequestDictionary, response: ResponseDictionary): Promise<boolean> {
  try {
    if (await verifyBasic(request["Authorization"], users)) return true;
    challenge(response, "panel");
  } catch (error) {
    // Someone is guessing passwords, and this one has to wait. Whoever is logged in stays logged in.
    if (!(error instanceof Deno.errors.Busy)) throw error;
    response.statusCode = 503;
    response["Retry-After"] = 5;
  }
  return false;
}

const script = `import { Connection } from "./pages/connection.js";

const connection = new Connection("/live", document.querySelector(".state"));
connection.addEventListener("message", ({ data }) => document.getElementById("greeting").textContent = data);
`;

const answer = pages({
  "/": smallPage("Guarded panel", `<p id="greeting" class="card">Not connected yet</p>`, {
    src: "/panel.js",
    state: true,
  }),
  "/panel.js": ["panel.js", script],
});

export const server = new WebServer({
  callbacks: {
    async onHTTPRequest(webServer, request, response) {
      if (!await hasPassword(request, response)) return response;
      if (request.uri === "/" && !hasSession(request)) {
        // HttpOnly: scripts cannot read it. SameSite: browsers send it from this site's pages only. Secure: never over http.
        const secure = webServer.address?.url.startsWith("https:") ? "; Secure" : "";
        response["Set-Cookie"] =
          `guard=${startSession()}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${SESSION}${secure}`;
      }
      return answer(request, response);
    },

    // A WebSocket is accepted if the status stays 101. The refusal is 403: at 401 Safari would ask for the password again.
    onWebSocketRequest(_webServer, request, response) {
      if (!hasSession(request)) response.statusCode = 403;
      return response;
    },

    onWebSocketOpen(webServer, client) {
      webServer.webSocketSendText(client, `You are connected as ${client}`);
    },

    onWebSocketReceiveText(webServer, client, data) {
      // The heartbeat of connection.js
      if (data === "") webServer.webSocketSendText(client, "");
    },
  },
});

if (import.meta.main) {
  await server.start();
  console.log(`Open ${server.address?.url}`);
}
