/** Tests that need a program beside Deno. */

function isThere(program: string): boolean {
  const folders = Deno.env.get("PATH")?.split(Deno.build.os === "windows" ? ";" : ":") ?? [];
  const suffixes = Deno.build.os === "windows" ? [".exe", ".cmd"] : [""];
  return folders.some((folder) =>
    suffixes.some((suffix) => {
      try {
        return Deno.statSync(`${folder}/${program}${suffix}`).isFile;
      } catch {
        return false;
      }
    })
  );
}

/** Defines a test; skipped, with the reason in its name, where one of the programs is missing. `.ci/run` installs them. */
export function testWith(
  programs: string[],
  name: string,
  body: () => Promise<void>,
  options: Pick<Deno.TestDefinition, "sanitizeOps"> = {},
): void {
  const missing = programs.filter((program) => !isThere(program));
  Deno.test({
    name: missing.length === 0 ? name : `${name} (skipped: needs ${missing.join(", ")})`,
    ignore: missing.length > 0,
    fn: body,
    ...options,
  });
}
