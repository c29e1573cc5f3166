/** Words of a command as a shell takes them, so that what is printed can be pasted. */

const WINDOWS = Deno.build.os === "windows";

/** Characters that no shell treats in a special way. PowerShell splits at commas. */
const PLAIN = /^[\w.,:/@%+=-]+$/;
const PLAIN_ON_WINDOWS = /^[\w.:\\/+=-]+$/;

function quoted(text: string, windows: boolean): string {
  if (!windows) return `'${text.replaceAll("'", `'\\''`)}'`;
  // Double quotes serve both shells of Windows; only in PowerShell do `$` and the backtick keep their meaning inside.
  return /[$`]/.test(text) ? `'${text.replaceAll("'", "''")}'` : `"${text}"`;
}

/**
 * A word for a POSIX shell, or on Windows for PowerShell and cmd. Of a flag with a value, only the value is quoted.
 *
 * @param windows Which shell; that of this system unless it is given
 */
export function shellWord(text: string, windows: boolean = WINDOWS): string {
  if ((windows ? PLAIN_ON_WINDOWS : PLAIN).test(text)) return text;
  const [, flag = "", value = text] = /^(--[\w-]+=)(.*)$/s.exec(text) ?? [];
  return flag + quoted(value, windows);
}

/** What to run Deno with, as the end of a sentence: `run Deno with --allow-read='my show.ts'`. */
export function runDenoWith(...flags: string[]): string {
  return `run Deno with ${flags.map((flag) => shellWord(flag)).join(" ")}`;
}
