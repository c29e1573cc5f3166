/** Workarounds for Deno. */

/**
 * Upgrades a request, without the warning about `request.signal` that Deno 2.9 prints from within this call once the signal of a request was
 * read (denoland/deno#34397): `WebSockets.accept` reads it of each handshake. It can go with Deno's old behaviour of that signal (#35733).
 */
export function upgradeWebSocket(request: Request, idleTimeout: number): Deno.WebSocketUpgrade {
  const { warn } = console;
  console.warn = () => {};
  try {
    return Deno.upgradeWebSocket(request, { idleTimeout });
  } finally {
    console.warn = warn;
  }
}

/** A module of Node that Deno has built in, without the cost at every start that an import has: of `node:process`, too. */
export function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] {
  // deno-lint-ignore no-process-global -- an import of node:process would be loaded at every start
  return process.getBuiltinModule(name) as Builtins[Name];
}

interface Builtins {
  "node:crypto": typeof import("node:crypto");
  "node:net": typeof import("node:net");
  "node:url": typeof import("node:url");
  "node:util": typeof import("node:util");
}

/** Turns of the event loop, after which Deno has seen what has come over the network, and has sent what it was given. */
export async function turns(count = 1): Promise<void> {
  for (; count > 0; count--) await new Promise((resolve) => setTimeout(resolve, 0));
}

const byte = new Uint8Array(1);

/** One turn in a fraction of the time of a timer: it waits for another thread, and Deno sees meanwhile what has come over the network. */
export async function quickTurn(): Promise<void> {
  await crypto.subtle.digest("SHA-1", byte);
}

/** What Deno's WebSocket throws at a text that is too long for a string of V8 (512 MiB), where nobody can catch it. */
function isTextTooLong(error: unknown): boolean {
  return error instanceof TypeError && error.message.startsWith("failed to allocate string") &&
    (error.stack?.includes("ext:deno_websocket/") ?? false);
}

let guarded = false;

/**
 * Keeps the process when a client sends a text message of more than 512 MiB in fragments: Deno 2.9 puts it together before anybody can
 * refuse it, and rejects a promise of its own. Its connection ends by `idleTimeout`. Any other unhandled rejection does what it always does.
 * It can go once Deno bounds the size of a message (denoland/deno#15809).
 */
export function surviveLongTexts(): void {
  if (guarded) return;
  guarded = true;
  globalThis.addEventListener("unhandledrejection", (event) => {
    if (isTextTooLong(event.reason)) event.preventDefault();
  });
}
