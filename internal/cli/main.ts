/** The command line. */

import deno from "../../deno.json" with { type: "json" };
import { WebServer } from "../../server.ts";
import { isWildcard } from "../engine/address.ts";
import { flushConsole, print, Throttle } from "../operator/console.ts";
import { nearest } from "../operator/nearest.ts";
import {
  defaults,
  PARAMETER_NAMES,
  type ParameterChange,
  PARAMETERS,
  type WebServerParameters,
} from "../operator/parameters.ts";
import { decodePassword } from "../files/text_file.ts";

/** The help before and after the lines of the flags; up to 79 columns. */
const USES = `The Web Server DAT for Deno: an HTTP, HTTPS and WebSocket server on one port

  The template, on port 9980, for the whole network or for this machine only
    deno run --allow-net mod.ts
    deno run --allow-net mod.ts --localaddress 127.0.0.1
  Your own callbacks: write webserver1_callbacks.ts, edit it, and serve it
    deno run --allow-write=. mod.ts init [DIRECTORY]
    deno run --allow-net --allow-read=. mod.ts \\
      --callbacks webserver1_callbacks.ts --watch --log
  HTTPS and WSS
    deno run --allow-net --allow-read=certs mod.ts --secure \\
      --privatekey certs/key.pem --certificate certs/cert.pem
  A password for verifyBasic(), and the Python file for TouchDesigner's side
    deno run mod.ts hash-password
    deno run mod.ts touchdesigner
`;
const SIGNALS = `
Ctrl-C stops the server, and so does closing its terminal. SIGUSR2 restarts it,
with callbacks and certificate read again. A LIST has commas between its items.
`;

/** Exit codes: 1 if the server could not start, or lost its port for good; 2 if the command line is wrong. */
const COULD_NOT_START = 1;
const USAGE = 2;
/** Milliseconds that the console has at the end. */
const FLUSH = 1_000;

/** What is wrong with the command line. */
class UsageError extends Error {}

/** Parameters with a flag of their name. The password has none: other users of the machine can see the command line. */
const FLAG_PARAMETERS = PARAMETER_NAMES.filter((name) => name !== "password" && PARAMETERS[name].help !== undefined);

/** The other flags. */
const OTHERS = {
  "password-file": { type: "string" },
  log: { type: "boolean" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
} as const;

const COMMANDS = ["init", "hash-password", "touchdesigner"];

/** The help. */
function help(): string {
  const line = (flag: string, text: string) => `  --${flag}`.padEnd(29) + text;
  const flags = PARAMETER_NAMES.flatMap((name) => {
    const { help, kind, default: usual } = PARAMETERS[name];
    if (help === undefined) return [];
    if (name === "password") return [line("password-file FILE", help)];
    const shown = typeof usual === "number" || typeof usual === "string" ? String(usual) : "";
    return [line(`${name} ${kind.placeholder ?? ""}`, shown === "" ? help : `${help} (${shown})`)];
  });
  flags.push(line("log", "print a line for each request"), line("help, --version", "print this, or the version"));
  return `${USES}\n${flags.join("\n")}\n${SIGNALS}`;
}

type Values = Record<string, string | boolean | undefined>;

/** The command line, taken apart. */
async function parse(args: string[]): Promise<{ values: Values; words: string[] }> {
  // To load the parser takes a fifth of the time to start.
  if (args.length === 0) return { values: {}, words: [] };
  const { parseArgs } = await import("node:util");
  const parameters = FLAG_PARAMETERS.map((name) =>
    [name, { type: typeof defaults[name] === "boolean" ? "boolean" : "string" }] as const
  );
  try {
    const { values, positionals } = parseArgs({
      args,
      options: { ...Object.fromEntries(parameters), ...OTHERS },
      allowPositionals: true,
    });
    return { values: values as Values, words: positionals };
  } catch (error) {
    throw new UsageError(explained(error as Error & { code?: string }));
  }
}

/** What `parseArgs` says, in one sentence, with the flag that was meant. */
function explained({ message, code }: Error & { code?: string }): string {
  const unknown = /^Unknown option '--?([^']*)'/.exec(message)?.[1];
  if (code !== "ERR_PARSE_ARGS_UNKNOWN_OPTION" || unknown === undefined) {
    return message.split("\n")[0]!.replace(/\.$/, "");
  }
  if (unknown === "password") {
    return "There is no flag --password, since others can see the command line: put it into a file, and use --password-file";
  }
  const meant = nearest(unknown, [...FLAG_PARAMETERS, ...Object.keys(OTHERS)]);
  return `There is no flag --${unknown}${meant === undefined ? "" : `: did you mean --${meant}?`}`;
}

/** A flag's text as its parameter wants it; what is none stays text, and is refused as such. */
function valueOf(name: keyof WebServerParameters, text: string | boolean): unknown {
  if (typeof text === "boolean") return text;
  const usual = defaults[name];
  if (typeof usual === "number") return /^\d+(\.\d+)?$/.test(text) ? Number(text) : text;
  const list = Array.isArray(usual) || (name === "origins" && text !== "same" && text !== "any");
  return list ? text.split(",").filter((item) => item !== "") : text;
}

async function readPassword(file: string): Promise<string> {
  try {
    return decodePassword(await Deno.readFile(file));
  } catch (error) {
    const detail = error instanceof Deno.errors.NotCapable
      ? `run Deno with --allow-read=${file}`
      : error instanceof TypeError
      ? "it is not text in UTF-8, or in UTF-16 with a byte order mark"
      : (error as Error).message;
    throw new UsageError(`Cannot read the file of --password-file: ${detail}`);
  }
}

async function parametersOf(values: Values): Promise<ParameterChange> {
  const given = FLAG_PARAMETERS.flatMap((name) => {
    const value = values[name];
    return value === undefined ? [] : [[name, valueOf(name, value)]];
  });
  const file = values["password-file"];
  return { ...Object.fromEntries(given), ...(typeof file === "string" && { password: await readPassword(file) }) };
}

/** Stops the server, and ends the process: a connection that Deno cannot close would keep it (W4). */
async function end(server: WebServer): Promise<void> {
  // It has lost its port, and could not get it back.
  const code = server.parameters.active && server.address === undefined ? COULD_NOT_START : 0;
  await server.stop().catch(() => {});
  await flushConsole(FLUSH);
  Deno.exit(code);
}

/** What each signal does. A second one that stops has its default effect, which ends the process at once. */
function heedSignals(server: WebServer): void {
  const windows = Deno.build.os === "windows";
  const stopping: Deno.Signal[] = windows ? ["SIGINT", "SIGBREAK"] : ["SIGINT", "SIGTERM"];
  const stop = () => {
    for (const signal of stopping) Deno.removeSignalListener(signal, stop);
    end(server);
  };
  if (!windows) {
    // Outside of Linux, nohup leaves the terminal as standard input.
    const files = Deno.build.os === "linux" ? [Deno.stdin, Deno.stdout, Deno.stderr] : [Deno.stdout, Deno.stderr];
    // Without a terminal, as under nohup, SIGHUP means nothing.
    if (files.some((file) => file.isTerminal())) stopping.push("SIGHUP");
    else Deno.addSignalListener("SIGHUP", () => {});
    // The server reports why it cannot. SIGUSR1 would open Deno's inspector to everybody on this machine.
    Deno.addSignalListener("SIGUSR2", () => void server.restart().catch(() => {}));
  }
  for (const signal of stopping) Deno.addSignalListener(signal, stop);
}

async function serve(server: WebServer, log: boolean): Promise<void> {
  const throttle = new Throttle();
  // An error that nobody catches, in a timer of a callback or in Deno itself, does not end the show.
  const survive = (event: Event, what: string, error: unknown) => {
    event.preventDefault();
    if (throttle.admit(what) !== undefined) print("error", `${server.name}: ${what}`, error);
  };
  globalThis.addEventListener("unhandledrejection", (event) => survive(event, "unhandled rejection", event.reason));
  globalThis.addEventListener("error", (event) => survive(event, "uncaught error", event.error));
  if (log) {
    const { logRequests } = await import("./request_log.ts");
    logRequests(server, (line) => print("log", line));
  }
  heedSignals(server);
  try {
    await server.start();
  } catch {
    // The server has said why.
    Deno.exitCode = COULD_NOT_START;
    return;
  }
  const { hostname, port, url } = server.address!;
  print(
    "log",
    `${server.name} listens on ${url} (${isWildcard(hostname) ? `all interfaces, port ${port}` : hostname})`,
  );
}

async function init(server: WebServer, directory = "."): Promise<void> {
  const path = await server.exposeCallbacks(directory);
  print(
    "log",
    `${path} is written. Edit it, and run: deno run --allow-net --allow-read=${path} mod.ts --callbacks ${path} --watch`,
  );
}

async function hashPassword(): Promise<void> {
  const { askPassword } = await import("./ask_password.ts");
  const { hashPassword } = await import("../../auth.ts");
  print("log", await hashPassword(await askPassword()));
}

/** Prints the callbacks that go into TouchDesigner. */
async function printCallbacks(): Promise<void> {
  const { CALLBACKS } = await import("../touchdesigner/callbacks_py.ts");
  print("log", CALLBACKS.trimEnd());
}

async function run(args: string[]): Promise<void> {
  const { values, words: [command, ...words] } = await parse(args);
  if (values.help) return print("log", help());
  if (values.version) return print("log", deno.version);
  if (command !== undefined && !COMMANDS.includes(command)) {
    const meant = nearest(command, COMMANDS);
    throw new UsageError(`There is no command "${command}"${meant ? `: did you mean ${meant}?` : ""}`);
  }
  if (words.length > (command === "init" ? 1 : 0)) {
    throw new UsageError(`There is one word too many: "${words.at(-1)}"`);
  }
  let server;
  try {
    server = new WebServer(await parametersOf(values));
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError((error as Error).message);
  }
  if (command === "init") await init(server, words[0]);
  else if (command === "hash-password") await hashPassword();
  else if (command === "touchdesigner") await printCallbacks();
  else await serve(server, values.log === true);
}

/** Runs the program; sets the exit code. */
export async function main(args: string[]): Promise<void> {
  try {
    await run(args);
  } catch (error) {
    const usage = error instanceof UsageError;
    const { message } = error as Error;
    print("error", usage ? `${message}${message.endsWith("?") ? "" : "."} See --help for all options` : message);
    Deno.exitCode = usage ? USAGE : COULD_NOT_START;
  }
}
