/** The command line. */

import { parseArgs } from "node:util";
import deno from "../../deno.json" with { type: "json" };
import { WebServer } from "../../server.ts";
import { print, reword } from "../operator/console.ts";
import { nearest } from "../operator/nearest.ts";
import { defaults, type ParameterChange, type WebServerParameters } from "../operator/parameters.ts";
import { PARAMETER_NAMES } from "../operator/rules.ts";
import { decodePassword } from "../files/text_file.ts";
import { hashPassword, init, printCallbacks } from "./commands.ts";
import { examples } from "./examples.ts";
import { COULD_NOT_START, USAGE } from "./exit_codes.ts";
import { checkCommand, checkTogether } from "./meant.ts";
import { serve } from "./serve.ts";
import { UsageError } from "./usage_error.ts";
import { withFlags } from "./wording.ts";

const HELP = `The Web Server DAT for Deno: an HTTP, HTTPS and WebSocket server on one port

EXAMPLES

  --port NUMBER              9980; 0 is any free port
  --localaddress ADDRESS     to listen on; blank is all interfaces
  --callbacks FILE           or a URL; --language node|input, --wordwrap input|on|off
  --watch                    take callbacks and certificate anew when they are saved
  --name NAME                of the operator: webserver1
  --extension dat|language|custom, --customext EXT      of the file that init writes
  --secure                   TLS, with --privatekey FILE and --certificate FILE (PEM)
  --password-file FILE       with the password of the private key
  --origins same|any|LIST    web pages that may change something
  --trustedProxies LIST      addresses, with commas
  --maxBodySize, --maxBodyMemory, --maxMessageSize, --maxBufferedAmount BYTES
  --maxConnections, --maxFormFields NUMBER    WebSockets at once, fields of a form
  --requestTimeout, --idleTimeout, --shutdownTimeout SECONDS
  --body buffer|stream       how a callback gets a request's body
  --log                      a line for each request and WebSocket
  --qr                       show a QR code of the address, for phones
  --help, --version

Ctrl-C stops it, and so does closing its terminal (SIGHUP), unless nohup or a service runs
it. SIGUSR2 restarts it, with callbacks and certificate read again. Without a terminal, or
with deno run --no-prompt, a missing permission is an error instead of a question.
`;

/** Parameters that have no flag: a program runs, and others can see its flags. */
const NO_FLAG: readonly (keyof WebServerParameters)[] = ["active", "password"];
const FLAG_PARAMETERS = PARAMETER_NAMES.filter((name) => !NO_FLAG.includes(name));

/** Flags that are no parameters. */
const OTHERS = {
  "password-file": { type: "string" },
  log: { type: "boolean" },
  qr: { type: "boolean" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
} as const;

type Values = Record<string, string | boolean | undefined>;

/** The command line, taken apart. */
function parse(args: string[]): { values: Values; words: string[] } {
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

async function run(args: string[]): Promise<void> {
  const { values, words: [command, ...words] } = parse(args);
  if (values.help) return print("log", HELP.replace("EXAMPLES", examples()));
  if (values.version) return print("log", deno.version);
  if (command !== undefined) checkCommand(command);
  if (words.length > (command === "init" ? 1 : 0)) throw new UsageError(`Unexpected argument: "${words.at(-1)}"`);
  if (command === undefined) checkTogether(values);
  let server;
  try {
    server = new WebServer(await parametersOf(values));
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError((error as Error).message);
  }
  if (command === "init") await init(server, words[0]);
  else if (command === "hash-password") await hashPassword();
  else if (command === "touchdesigner") await printCallbacks();
  else await serve(server, { log: values.log === true, qr: values.qr === true });
}

/** Runs the program; sets the exit code. */
export async function main(args: string[]): Promise<void> {
  reword((message) => withFlags(message, FLAG_PARAMETERS));
  try {
    await run(args);
  } catch (error) {
    const usage = error instanceof UsageError;
    const { message } = error as Error;
    print("error", usage ? `${message}${message.endsWith("?") ? "" : "."} See --help for all options` : message);
    Deno.exitCode = usage ? USAGE : COULD_NOT_START;
  }
}
