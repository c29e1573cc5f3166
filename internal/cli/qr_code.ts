/** A QR code in the terminal, which a phone's camera opens. */

import type { ListenAddress } from "../../server.ts";
import { forPhones } from "./greeting.ts";

// Deno cannot resolve this in advance, so that only those who ask for a QR code download it.
const PACKAGE = ["npm:uqr", "0.1.3"].join("@");

/** The part of the package that is used. */
interface Package {
  renderUnicodeCompact(text: string, options: { border: number }): string;
}

/** Modules of the light margin: fewer than the standard asks for, which cameras put up with. */
const BORDER = 2;

async function load(): Promise<Package> {
  try {
    return await import(PACKAGE);
  } catch (cause) {
    const [reason] = (cause as Error).message.split("\n");
    throw new Error(
      `Cannot show a QR code: the package that draws it was not found (${reason}). Its first use needs the internet`,
      { cause },
    );
  }
}

/** Black on white, whatever the colors of the terminal. */
function blackOnWhite(line: string): string {
  return Deno.noColor ? line : `\x1b[97;40m${line}\x1b[0m`;
}

/**
 * The lines of a QR code for the address of a server that a phone can open, and of one that says which address it is.
 *
 * @throws {Error} (rejects) If there is no such address, no terminal that is wide enough, or no internet at the first use
 */
export async function qrCode(address: ListenAddress): Promise<string[]> {
  const places = forPhones(address);
  if (typeof places === "string") throw new Error(`Cannot show a QR code. ${places}`);
  if (!Deno.stdout.isTerminal()) throw new Error("Cannot show a QR code: the output is not a terminal");
  const { url } = places[0]!;
  const lines = (await load()).renderUnicodeCompact(url, { border: BORDER }).split("\n");
  const width = lines[0]!.length;
  const { columns } = Deno.consoleSize();
  // A terminal that does not know its size has 0, as over some serial lines and in containers.
  if (columns > 0 && columns < width) {
    throw new Error(`Cannot show a QR code: it is ${width} columns wide, and the terminal has ${columns}`);
  }
  const others = places.length > 1 ? "; --localaddress ADDRESS chooses another one" : "";
  return [...lines.map(blackOnWhite), `The QR code is for ${url}${others}`];
}
