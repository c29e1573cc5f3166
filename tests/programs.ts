/** Tests that need something beside Deno. */

/** What a test needs: a program on the PATH, or something else that has a name. */
export type Need = string | { readonly name: string; readonly isThere: boolean };

export const LINUX: Need = { name: "Linux", isThere: Deno.build.os === "linux" };
/** Signals, Unix sockets and named pipes. */
export const UNIX: Need = { name: "a Unix system", isThere: Deno.build.os !== "windows" };

function isThere(need: Need): boolean {
  if (typeof need !== "string") return need.isThere;
  const isWindows = Deno.build.os === "windows";
  const folders = Deno.env.get("PATH")?.split(isWindows ? ";" : ":") ?? [];
  const suffixes = isWindows ? [".exe", ".cmd"] : [""];
  return folders.some((folder) => suffixes.some((suffix) => isFile(`${folder}/${need}${suffix}`)));
}

/** Whether a path leads to a file. */
export function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Defines a test that is skipped if something is missing, with the reason in its name. `.ci/run` installs the programs. */
export function testWith(
  needs: readonly Need[],
  name: string,
  body: (context: Deno.TestContext) => Promise<void>,
  options: Pick<Deno.TestDefinition, "sanitizeOps"> = {},
): void {
  const missing = needs.filter((need) => !isThere(need)).map((need) => typeof need === "string" ? need : need.name);
  Deno.test({
    name: missing.length === 0 ? name : `${name} (skipped: needs ${missing.join(", ")})`,
    ignore: missing.length > 0,
    fn: body,
    ...options,
  });
}
