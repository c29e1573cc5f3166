/** Parsing and checking the values of headers. Clients write some of them, so each function takes linear time on any text. */

/** A token (RFC 9110, section 5.6.2): the name of a header, a protocol, a transfer coding. */
const TOKEN = /^[!#$%&'*+.^`|~\w-]+$/;

/** Whether the text is a token. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

function isBlank(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code === 0x20 || code === 0x09;
}

/**
 * The text without the spaces and tabs around it (RFC 9110, section 5.6.3). `trim()` strips other characters too, and a regular
 * expression for the end of a text takes quadratic time.
 */
export function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text, start)) start++;
  while (end > start && isBlank(text, end - 1)) end--;
  return text.slice(start, end);
}

/** The items of a list, without the white space around them. */
export function items(list: string | null): string[] {
  return list === null ? [] : list.split(",").map(trimmed);
}

/** Whether a list has an item, in any letter case. */
export function hasItem(list: string | null, lowerCaseItem: string): boolean {
  return items(list).some((item) => item.toLowerCase() === lowerCaseItem);
}

/**
 * The number in a header, or NaN if it is not one run of digits. A repeated header counts once if all of its values are the same
 * (RFC 9110, section 8.6).
 */
export function numberIn(value: string): number {
  const [first, ...others] = items(value);
  if (!/^\d+$/.test(first!) || others.some((other) => other !== first)) return NaN;
  const number = Number(first);
  return Number.isSafeInteger(number) ? number : NaN;
}

/** Control characters, which no header value may have: they crash Deno. */
// deno-lint-ignore no-control-regex -- control characters are what it looks for
const UNSENDABLE = /[\x00-\x08\x0a-\x1f\x7f]/;

/**
 * Checks the value of a header, as `Headers` holds it.
 *
 * @throws {TypeError} If it cannot be sent
 */
export function checkValue(name: string, value: string): string {
  if (UNSENDABLE.test(value)) {
    throw new TypeError(`Cannot send the header "${name}": its value has a control character, such as a line break`);
  }
  return value;
}
