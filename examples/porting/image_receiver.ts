// deno run --allow-net --allow-read=. --allow-write=uploads mod.ts --callbacks examples/porting/image_receiver.ts --watch

import type { Callbacks } from "@webserver-dat/server";
import { TouchDesigner } from "@webserver-dat/server/touchdesigner";

const { op } = new TouchDesigner();
const path = "uploads/latest.jpg";

export default {
  async onHTTPRequest(webServer, request, response) {
    if (request.uri === "/") {
      response.statusCode = 200;
      response.data = '<img src="/image" alt="No image yet">';
      return response;
    }
    if (request.uri !== "/image") return response;
    if (request.method === "POST") {
      if (request["Content-Type"] !== "image/jpeg") {
        response.statusCode = 415;
        response.data = "Send a JPEG as image/jpeg";
        return response;
      }
      // Rename the file when it is complete: two uploads may arrive
      // at once, and nobody should read half an image.
      const part = `uploads/${crypto.randomUUID()}`;
      await Deno.writeFile(part, request.data);
      await Deno.rename(part, path);
      op("moviefilein1").par.reloadpulse.pulse();
      for (const client of webServer.webSocketConnections) {
        webServer.webSocketSendText(client, "new image");
      }
      response.statusCode = 201;
      return response;
    }
    try {
      response.data = await Deno.readFile(path);
      response.statusCode = 200;
      response["Content-Type"] = "image/jpeg";
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return response;
  },

  onServerStart() {
    Deno.mkdirSync("uploads", { recursive: true });
  },
} satisfies Callbacks;
