/** The flags of the command line: one for each parameter, and a few others. */

import { runDenoWith } from "../engine/shell.ts";
import { decodePassword } from "../files/text_file.ts";
import { nearest } from "../operator/nearest.ts";
import {
  defaults,
  PARAMETER_NAMES,
  type ParameterChange,
  PARAMETERS,
  type WebServerParameters,
} from "../operator/parameters.ts";
import { UsageError } from "./usage_error.ts";

/** Parameters with a flag of their name. The password has none: other users of the machine can see the command line. */
export const FLAG_PARAMETERS = PARAMETER_NAMES.filter((name) =>
  name !== "password" && PARAMETERS[name].help !== undefined
);

/** The other flags. */
const OTHERS = {
  "password-file": { type: "string" },
  log: { type: "boolean" },
  qr: { type: "boolean" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
} as const;

/** Flags of other programs, and those that do the same here. */
const MEANT: Readonly<Record<string, string>> = {
  address: "localaddress",
  bind: "localaddress",
  cors: "origins",
  host: "localaddress",
  hostname: "localaddress",
  https: "secure",
  key: "privatekey",
  p: "port",
  reload: "watch",
  ssl: "secure",
  tls: "secure",
  v: "version",
  V: "version",
};

/** The flags that were given. */
export type Values = Readonly<Record<string, string | boolean | undefined>>;

/**
 * Takes a command line apart.
 *
 * @throws {UsageError} (rejects) If it has a flag that does not exist, or one without its value
 */
export async function parse(args: string[]): Promise<{ values: Values; words: string[] }> {
  // To load the parser takes a fifth of the time to start.
  if (args.length === 0) return { values: {}, words: [] };
  const { parseArgs } = await import("node:util");
  const parameters = FLAG_PARAMETERS.map((name) =>
    [name, { type: typeof defaults[name] === "boolean" ? "boolean" : "string" }] as const
  );
  try {
    const { values, positionals, tokens } = parseArgs({
      args,
      tokens: true,
      options: { ...Object.fromEntries(parameters), ...OTHERS },
      allowPositionals: true,
    });
    const names = tokens.flatMap((token) => token.kind === "option" ? token.name : []);
    const twice = names.find((name, index) => names.indexOf(name) < index);
    if (twice !== undefined) throw new UsageError(`--${twice} is given twice`);
    return { values: values as Values, words: positionals };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(explained(error as Error & { code?: string }));
  }
}

/** The message of `parseArgs` in one sentence, with the flag that was meant. */
function explained({ message, code }: Error & { code?: string }): string {
  const [, dashes = "--", unknown] = /^Unknown option '(--?)([^']*)'/.exec(message) ?? [];
  const [, ambiguous] = /^Option '(?:-\w, )?(--[\w-]+)' argument is ambiguous/.exec(message) ?? [];
  if (ambiguous !== undefined) {
    return `${ambiguous} has no value, or one that begins with a dash: write ${ambiguous}=VALUE`;
  }
  if (code !== "ERR_PARSE_ARGS_UNKNOWN_OPTION" || unknown === undefined) {
    return message.split("\n")[0]!.replace(/\.$/, "");
  }
  if (unknown === "password") {
    return "There is no flag --password, since others can see the command line: put it into a file, and use --password-file";
  }
  const meant = MEANT[unknown] ?? nearest(unknown, [...FLAG_PARAMETERS, ...Object.keys(OTHERS)]);
  return `There is no flag ${dashes}${unknown}${meant === undefined ? "" : `: did you mean --${meant}?`}`;
}

/** Converts a flag to the type of its parameter; invalid text is left for the parameter's check to refuse. */
function valueOf(name: keyof WebServerParameters, text: string | boolean): unknown {
  if (typeof text === "boolean") return text;
  const usual = defaults[name];
  if (typeof usual === "number") return /^\d+(\.\d+)?$/.test(text) ? Number(text) : text;
  const list = Array.isArray(usual) || (name === "origins" && text !== "same" && text !== "any");
  return list ? text.split(",").map((item) => item.trim()).filter((item) => item !== "") : text;
}

async function readPassword(file: string): Promise<string> {
  try {
    return decodePassword(await Deno.readFile(file));
  } catch (error) {
    const detail = error instanceof Deno.errors.NotCapable
      ? runDenoWith(`--allow-read=${file}`)
      : error instanceof Deno.errors.NotFound
      ? `"${file}" does not exist`
      : error instanceof TypeError
      ? "it is not text in UTF-8, or in UTF-16 with a byte order mark"
      : (error as Error).message;
    throw new UsageError(`Cannot read the file of --password-file: ${detail}`);
  }
}

/**
 * The parameters that the flags set.
 *
 * @throws {UsageError} (rejects) If the file of `--password-file` cannot be read
 */
export async function parametersOf(values: Values): Promise<ParameterChange> {
  const given = FLAG_PARAMETERS.flatMap((name) => {
    const value = values[name];
    return value === undefined ? [] : [[name, valueOf(name, value)]];
  });
  const file = values["password-file"];
  return { ...Object.fromEntries(given), ...(typeof file === "string" && { password: await readPassword(file) }) };
}
