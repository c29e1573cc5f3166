/** A password for one run of an example, to be typed on a phone. */

/** Letters and digits that are not mistaken for each other: 32 of them, so that each one chosen is worth 5 bits. */
const LETTERS = "abcdefghijkmnpqrstuvwxyz23456789";

/** A new password of 140 random bits, such as `k3md-9xwe-...`: seven groups of four letters and digits. */
export function randomPassword(): string {
  const groups = Array.from({ length: 7 }, () => {
    const random = crypto.getRandomValues(new Uint8Array(4));
    return [...random].map((byte) => LETTERS[byte % LETTERS.length]).join("");
  });
  return groups.join("-");
}
