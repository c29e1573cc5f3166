/** Asks for a password on the command line. */

import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import process from "node:process";
import { encodingOf } from "../files/text_file.ts";

/** One line typed at a terminal, none of it shown. */
function unseen(question: string): Promise<string> {
  // The terminal is in raw mode before the question is shown, and what readline would echo goes nowhere.
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 });
  process.stderr.write(question);
  return new Promise((resolve, reject) => {
    lines.once("line", resolve);
    lines.once("SIGINT", () => reject(new Deno.errors.Interrupted("Cannot read the password: interrupted")));
    lines.once("close", () => reject(new Deno.errors.UnexpectedEof("Cannot read the password: the input has ended")));
  }).finally(() => {
    lines.close();
    process.stderr.write("\n");
  }) as Promise<string>;
}

/** The first line of standard input, without its end. */
async function firstLine(): Promise<string> {
  let text = "";
  let decoder: TextDecoder | undefined;
  for await (const chunk of Deno.stdin.readable) {
    decoder ??= new TextDecoder(encodingOf(chunk), { fatal: true });
    text += decoder.decode(chunk, { stream: true });
    const end = text.search(/\r?\n/);
    if (end >= 0) return text.slice(0, end);
  }
  return text + (decoder?.decode() ?? "");
}

/**
 * Reads a password: at a terminal twice and without echo, the questions on standard error; else the first line of standard
 * input.
 *
 * @throws {Deno.errors.Interrupted} (rejects) After Ctrl-C at the terminal
 * @throws {Deno.errors.UnexpectedEof} (rejects) If the terminal's input ends, as by Ctrl-D
 * @throws {RangeError} (rejects) If the two passwords typed differ, or the password is empty
 * @throws {TypeError} (rejects) If standard input is not text in UTF-8, or in UTF-16 with a byte order mark
 */
export async function askPassword(): Promise<string> {
  const terminal = Deno.stdin.isTerminal();
  const password = terminal ? await unseen("Password: ") : await firstLine();
  if (password === "") throw new RangeError("Cannot take the password: it is empty");
  if (terminal && await unseen("Again: ") !== password) {
    throw new RangeError("Cannot take the password: the two differ");
  }
  return password;
}
