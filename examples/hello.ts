// deno run --allow-net examples/hello.ts

import { WebServer } from "@webserver-dat/server";

let visits = 0;
const server = new WebServer({
  callbacks: {
    onHTTPRequest(webServer, request, response) {
      response.statusCode = 200;
      const color = `hsl(${visits++ * 40} 80% 45%)`;
      response.data = `<meta name="viewport" content="width=device-width">
        <h1 style="color: ${color}">${webServer.name} greets ${request.clientAddress}</h1>`;
      return response;
    },
  },
});
await server.start();
console.log(`Open ${server.address?.url} and reload it`);
