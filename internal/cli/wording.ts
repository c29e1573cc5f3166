/** Messages as the command line shows them: a parameter has a flag there. */

import type { WebServerParameters } from "../operator/parameters.ts";

/** Parameters whose flag has another name, or that have none. */
const FLAGS: Partial<Record<keyof WebServerParameters, string>> = { active: "", password: "--password-file" };

/** A mention of a parameter, and the list that a message says to set it to, if there is one. */
const MENTION = /\bparameter "(\w+)"(?: to \["(\S*)"\])?/gi;

/**
 * Adds the flag behind the first mention of each parameter in a message: `parameter "port" (--port)`. A list to set it to is written as the
 * flag takes it.
 *
 * @param parameters The names of all parameters
 */
export function withFlags(message: string, parameters: readonly string[]): string {
  const named = new Set<string>();
  return message.replace(MENTION, (mention, name: string, list?: string) => {
    const flag = FLAGS[name as keyof WebServerParameters] ?? (parameters.includes(name) ? `--${name}` : "");
    if (flag === "" || named.has(name)) return mention;
    named.add(name);
    if (list === undefined) return `${mention} (${flag})`;
    return `${mention.slice(0, mention.indexOf(" to "))} (${flag} ${list.replaceAll('","', ",")})`;
  });
}
