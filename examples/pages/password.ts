/** A password for one run of an example, easy to type on a phone. */

/** The letters and digits that look different from each other. There are 32, so each is worth 5 bits. */
const LETTERS = "abcdefghijkmnpqrstuvwxyz23456789";

/** Makes a password of 140 random bits: seven groups of four letters and digits, such as `k3md-9xwe-...`. */
export function randomPassword(): string {
  const groups = Array.from({ length: 7 }, () => {
    const random = crypto.getRandomValues(new Uint8Array(4));
    return [...random].map((byte) => LETTERS[byte % LETTERS.length]).join("");
  });
  return groups.join("-");
}
