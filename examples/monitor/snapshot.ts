/** The state of a server at one moment, from its public methods, ready for JSON. */

import type { Callbacks, WebServer } from "@webserver-dat/server";

/** Limits of what a page is sent: connections, characters of a table cell, and characters of the callbacks' text. */
const ROWS = 200;
const CELL = 500;
const TEXT = 200_000;

/** The callbacks, in the order in which they run. */
const NAMES = [
  "onServerStart",
  "onHTTPRequest",
  "onWebSocketRequest",
  "onWebSocketOpen",
  "onWebSocketReceiveText",
  "onWebSocketReceiveBinary",
  "onWebSocketClose",
  "onServerStop",
  "onError",
] as const satisfies (keyof Callbacks)[];

/**
 * Takes a snapshot of a server.
 *
 * @param callbacks The callbacks to show, if the server's callbacks wrap them
 */
export async function snapshot(server: WebServer, callbacks: Callbacks | string | URL = server.parameters.callbacks) {
  const { name, active, address, parameters } = server;
  return {
    name,
    active,
    address: address ?? null,
    info: server.info(),
    parameters: Object.entries({ ...parameters, callbacks: titleOf(callbacks) }).flatMap(([name, value]) => [
      [name, typeof value === "string" || value instanceof URL ? String(value) : Deno.inspect(value)],
      // The password is not among the parameters' entries. Show only whether there is one.
      ...name === "certificate" ? [["password", parameters.password === "" ? "" : "set, and not shown"]] : [],
    ]),
    rows: server.rows().slice(0, 1 + ROWS).map((row) => row.map(shortened)),
    callbacks: { text: (await textOf(callbacks)).slice(0, TEXT), wordwrap: parameters.wordwrap },
  };
}

/** Shortens a long cell: a client chooses the address that it connects to. */
function shortened(cell: string): string {
  return cell.length > CELL ? `${cell.slice(0, CELL)}…` : cell;
}

function isObject(callbacks: Callbacks | string | URL): callbacks is Callbacks {
  return typeof callbacks === "object" && !(callbacks instanceof URL);
}

function present(callbacks: Callbacks) {
  return NAMES.filter((name) => typeof callbacks[name] === "function");
}

/** The path of the file, or the names of the functions. */
function titleOf(callbacks: Callbacks | string | URL): string {
  return isObject(callbacks) ? present(callbacks).join(", ") : String(callbacks);
}

/** The text of the file. For an object, the source of its functions. */
async function textOf(callbacks: Callbacks | string | URL): Promise<string> {
  if (isObject(callbacks)) {
    return present(callbacks).map((name) => sourceOf(name, callbacks[name]!)).join("\n\n");
  }
  try {
    return await Deno.readTextFile(String(callbacks).startsWith("file:") ? new URL(callbacks) : callbacks);
  } catch (error) {
    return (error as Error).message;
  }
}

function sourceOf(name: string, callback: NonNullable<Callbacks[keyof Callbacks]>): string {
  const source = Function.prototype.toString.call(callback);
  const named = new RegExp(`^(?:async |function |async function |\\*)*${name}\\b`).test(source);
  return dedented(named ? source : `${name} = ${source}`);
}

/** Removes the indentation that a function in an object has in all lines but the first. */
function dedented(source: string): string {
  const indent = /\n([ \t]*)\S.*$/.exec(source)?.[1] ?? "";
  return source.replaceAll(`\n${indent}`, "\n");
}
