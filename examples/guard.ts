// deno run --allow-net examples/guard.ts

// A panel behind a password, its page and its WebSocket alike: user "operator", password "stage left".

import { type RequestDictionary, type ResponseDictionary, WebServer } from "@webserver-dat/server";
import { challenge, verifyBasic } from "@webserver-dat/server/auth";

// The passwords themselves are nowhere: `deno run mod.ts hash-password` makes such a line of one.
const users = {
  operator: "$scrypt$ln=15,r=8,p=3$surmiDYryXReWB711/Vncw$Y4AzxBT2pVLpUWWYF+eElPg8RTuwa75qZyFq3j4LVWc",
};

/** Whether the request comes from one of the users; if not, the response says so. */
async function guard(request: RequestDictionary, response: ResponseDictionary): Promise<boolean> {
  try {
    if (await verifyBasic(request["Authorization"], users)) return true;
    challenge(response, "panel");
  } catch (error) {
    // Somebody guesses passwords, and this one has to wait. Whoever is in already stays in.
    if (!(error instanceof Deno.errors.Busy)) throw error;
    response.statusCode = 503;
    response["Retry-After"] = 5;
  }
  return false;
}

const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Panel</title>
<link rel="icon" href="data:,">
<style>:root { color-scheme: light dark; font: 1.125rem/1.5 system-ui, sans-serif }</style>
<h1>The panel</h1>
<p role="status">connecting</p>
<script>
  const show = (text) => document.querySelector("p").textContent = text;
  function connect() {
    // The browser sends the password along by itself.
    const socket = new WebSocket(location.href.replace("http", "ws"));
    socket.onmessage = ({ data }) => show(data);
    socket.onclose = () => {
      show("not connected, trying again");
      setTimeout(connect, 1000);
    };
  }
  connect();
</script>
</html>`;

export const server = new WebServer({
  callbacks: {
    async onHTTPRequest(_webServer, request, response) {
      if (await guard(request, response)) {
        response.statusCode = 200;
        response.data = page;
      }
      return response;
    },

    // A handshake is accepted while its status is 101, as it is at first.
    async onWebSocketRequest(_webServer, request, response) {
      await guard(request, response);
      return response;
    },

    onWebSocketOpen(webServer, client) {
      webServer.webSocketSendText(client, `connected as ${client}`);
    },
  },
});

if (import.meta.main) {
  await server.start();
  console.log(`Open ${server.address?.url}`);
}
