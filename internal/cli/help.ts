/** The text of `--help`, up to 79 columns. */

import { PARAMETER_NAMES, PARAMETERS } from "../operator/parameters.ts";
import { commandLine, folded } from "./invocation.ts";

const NET = "--allow-net";

/** What a command does, Deno's flags, and the arguments of the program. */
const EXAMPLES: [what: string, permissions: string[], args: string[]][] = [
  ["The template, on port 9980, for the whole network", [NET], []],
  ["For this machine only", [NET], ["--localaddress", "127.0.0.1"]],
  ["With the addresses for phones, and a QR code", [NET, "--allow-sys=networkInterfaces"], ["--qr"]],
  ["Your own callbacks: write webserver1_callbacks.ts to edit it", ["--allow-write=."], ["init"]],
  ["Serve them", [NET, "--allow-read=."], ["--callbacks", "webserver1_callbacks.ts", "--watch", "--log"]],
  ["HTTPS and WSS", [NET, "--allow-read=."], ["--secure", "--privatekey", "key.pem", "--certificate", "cert.pem"]],
  ["A password for verifyBasic()", [], ["hash-password"]],
  ["The Python file for TouchDesigner's side", [], ["touchdesigner"]],
];

const SIGNALS = `Ctrl-C stops the server, and so does closing its terminal (SIGHUP), unless
nohup or a service runs it. SIGUSR2 restarts it, with callbacks and certificate
read again. A LIST has commas between its items. Without a terminal, or with
deno run --no-prompt, a missing permission is an error instead of a question.`;

function line(flag: string, text: string): string {
  return `  --${flag}`.padEnd(29) + text;
}

/** The help, with commands for the way in which this program was started. */
export function help(): string {
  const examples = EXAMPLES.map(([what, permissions, args]) =>
    `  ${what}\n${folded(commandLine(permissions, args), "    ")}`
  );
  const flags = PARAMETER_NAMES.flatMap((name) => {
    const { help, kind, default: usual } = PARAMETERS[name];
    if (help === undefined) return [];
    if (name === "password") return [line("password-file FILE", help)];
    const shown = typeof usual === "number" || typeof usual === "string" ? String(usual) : "";
    return [line(`${name} ${kind.placeholder ?? ""}`, shown === "" ? help : `${help} (${shown})`)];
  });
  flags.push(
    line("log", "print a line for each request and WebSocket"),
    line("qr", "show a QR code of the address, for phones"),
    line("help, --version", "print this, or the version"),
  );
  return [
    "The Web Server DAT for Deno: an HTTP, HTTPS and WebSocket server on one port",
    examples.join("\n"),
    flags.join("\n"),
    `${SIGNALS}\n`,
  ].join("\n\n");
}
