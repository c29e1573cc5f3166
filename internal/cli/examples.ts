/** The commands that `--help` shows. */

import { commandLine, folded } from "./invocation.ts";

const NET = "--allow-net";

/** What a command does, Deno's flags, and the arguments of the program. */
const EXAMPLES: [what: string, permissions: string[], args: string[]][] = [
  ["the template, on port 9980", [NET], []],
  ["for this machine only", [NET], ["--localaddress", "127.0.0.1"]],
  ["with a QR code for phones", [NET, "--allow-sys=networkInterfaces"], ["--qr"]],
  ["writes webserver1_callbacks.ts", ["--allow-write=."], ["init"]],
  ["your callbacks", [NET, "--allow-read=."], ["--callbacks", "webserver1_callbacks.ts", "--watch", "--log"]],
  ["https", [NET, "--allow-read=."], ["--secure", "--privatekey", "key.pem", "--certificate", "cert.pem"]],
  ["a password for verifyBasic()", [], ["hash-password"]],
  ["the Python file of the link", [], ["touchdesigner"]],
];

/** Columns of the descriptions, and of the screen. */
const INDENT = 56;
const SCREEN = 90;

/** The commands, as this program was started, each with what it does. */
export function examples(): string {
  return EXAMPLES.map(([what, permissions, args]) => {
    const command = folded(commandLine(permissions, args));
    const last = command.slice(command.lastIndexOf("\n") + 1);
    const padded = command + " ".repeat(Math.max(2, INDENT - last.length)) + what;
    const isShort = Math.max(last.length + 2, INDENT) + what.length <= SCREEN;
    return isShort ? padded : `${command}\n${" ".repeat(INDENT)}${what}`;
  }).join("\n");
}
