/** Messages as the command line shows them: a parameter has a flag there. */

import type { WebServerParameters } from "../operator/parameters.ts";

/** Parameters whose flag has another name, or that have none. */
const FLAGS: Partial<Record<keyof WebServerParameters, string>> = { active: "", password: "--password-file" };

/**
 * Adds the flag behind the first mention of each parameter in a message: `parameter "port" (--port)`.
 *
 * @param parameters The names of all parameters
 */
export function withFlags(message: string, parameters: readonly string[]): string {
  const named = new Set<string>();
  return message.replace(/\bparameter "(\w+)"/gi, (mention, name: string) => {
    const flag = FLAGS[name as keyof WebServerParameters] ?? (parameters.includes(name) ? `--${name}` : "");
    if (flag === "" || named.has(name)) return mention;
    named.add(name);
    return `${mention} (${flag})`;
  });
}
