/** The C library's allocator, under the buffers of messages, bodies and files. */

/** Bytes; twice as many may stay unused at the end of the heap. */
const BLOCK = 16 * 1024 * 1024;

let told = false;

/**
 * Has glibc keep freed memory for the next buffers. The garbage collector frees buffers many at a time; glibc would give that
 * memory back to the system, which then hands it out anew, page by page: messages of 64 KiB are echoed at half the speed or less.
 * It keeps twice the size of the largest block that was freed (mallopt(3), M_TRIM_THRESHOLD). No page of this block is ever used.
 */
export function keepFreedMemory(): void {
  if (told) return;
  told = true;
  // To transfer it frees it at once.
  new ArrayBuffer(BLOCK).transfer(0);
}
