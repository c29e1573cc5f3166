/** Streams of answers: bytes in chunks, and streams that a stop can end. */

/** Bytes a chunk: fewer cost throughput, and of more, each copy is of memory that is fetched anew from the system. */
const CHUNK = 64 * 1024;

/**
 * Bytes as a stream that hands over each chunk when the one before has been taken. They are copied, as the runtime copies
 * those of an answer: what happens to the buffer later is not sent.
 */
export function inChunks(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for (let start = 0; start < bytes.length; start += CHUNK) chunks.push(bytes.slice(start, start + CHUNK));
  let sent = 0;
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(chunks[sent++]!);
      if (sent === chunks.length) controller.close();
    },
  }, { highWaterMark: 0 });
}

/** A stream like the source, and a way to end it as if the source had ended. */
export function endable(
  source: ReadableStream<Uint8Array<ArrayBuffer>>,
): { stream: ReadableStream<Uint8Array<ArrayBuffer>>; end(): void } {
  const reader = source.getReader();
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
  return {
    stream,
    // Ends the read under way too, whatever the source does.
    end() {
      reader.cancel().catch(() => {});
    },
  };
}
