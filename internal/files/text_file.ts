/** Text files as editors and shells write them: UTF-8, or UTF-16 with its byte order mark, as Windows PowerShell does. */

/** The encoding of a text file, by its byte order mark; UTF-8 without one. */
export function encodingOf([first, second]: Uint8Array): "utf-8" | "utf-16le" | "utf-16be" {
  if (first === 0xff && second === 0xfe) return "utf-16le";
  if (first === 0xfe && second === 0xff) return "utf-16be";
  return "utf-8";
}

/** The text of a file, without its byte order mark. Invalid bytes become U+FFFD. */
export function decodeFile(bytes: Uint8Array): string {
  return new TextDecoder(encodingOf(bytes)).decode(bytes);
}

/**
 * The password in a file, without byte order mark and line end.
 *
 * @throws {TypeError} If it is not valid text
 */
export function decodePassword(bytes: Uint8Array): string {
  const text = new TextDecoder(encodingOf(bytes), { fatal: true }).decode(bytes);
  // Editors and `echo` end a file with a line end, which does not belong to the password.
  return text.replace(/\r?\n$/, "");
}
