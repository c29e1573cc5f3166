/**
 * TouchDesigner's Web Server DAT for Deno: an operator that is an HTTP and WebSocket server, set by parameters and driven by
 * callbacks. Run as a program, it is the command line.
 *
 * @example
 * ```ts
 * import { WebServer } from "@webserver-dat/server";
 *
 * const server = new WebServer({
 *   port: 0,
 *   callbacks: {
 *     onHTTPRequest(_webServer, request, response) {
 *       response.statusCode = 200;
 *       response.data = `<h1>Hello, ${request.clientAddress}</h1>`;
 *       return response;
 *     },
 *   },
 * });
 * await server.start();
 * await server.stop();
 * ```
 *
 * @module
 */

export * from "./server.ts";
export * from "./callbacks.ts";
export * from "./auth.ts";

if (import.meta.main) {
  // Not awaited: a callbacks file that imports this module would wait for it, and it for the callbacks file.
  void import("./internal/cli/main.ts").then(({ main }) => main(Deno.args));
}
