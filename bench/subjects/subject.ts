/** What the subjects have in common: programs `SUBJECT CASE FOLDER`, where the folder has the file and the certificate. */

/**
 * Prints the port, answers each line of the input with an empty one when the garbage is collected, and ends when the input
 * does.
 */
export async function subject(port: number): Promise<void> {
  console.log(port);
  for await (const _line of Deno.stdin.readable) {
    (globalThis as { gc?(): void }).gc?.();
    console.log();
  }
  Deno.exit();
}

/** The case to serve. */
export const [name = "template", folder = "."] = Deno.args;

/** The same bytes for all: what the template answers, with its headers. */
export const HTML = "<b>TouchDesigner: </b>webserver1";
export const HTML_HEADERS = { "content-type": "text/html; charset=utf-8", "x-content-type-options": "nosniff" };
/** The bytes of a download. */
export function bytes(size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(size).fill(0x78);
}

/** The text of a download. */
export function text(size: number): string {
  return "x".repeat(size);
}

/** The headers of a download. Deno sends a Blob without its length. */
export function headersOf(body: unknown): Record<string, string> {
  return {
    "content-type": "application/octet-stream",
    ...(body instanceof Blob && { "content-length": String(body.size) }),
  };
}

/** Answers with the file, by its name and what a browser's cache asks for. */
export async function serveFile(): Promise<Response> {
  const file = await Deno.open(`${folder}/file.js`);
  const { size, mtime } = await file.stat();
  return new Response(file.readable, {
    headers: {
      "content-type": "text/javascript; charset=utf-8",
      "content-length": String(size),
      "last-modified": mtime!.toUTCString(),
      "etag": `W/"${size}-${mtime!.getTime()}"`,
    },
  });
}

/** Seconds for all servers: the load answers no ping, and most clients of a broadcast send nothing. */
export const IDLE_TIMEOUT = 3600;
