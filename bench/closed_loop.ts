/** A load that sends its next request on a connection when the answer to the one before is whole. */

import { Poll } from "./tcp.ts";

/** What is sent on each connection, and what answers it. */
export interface Exchange {
  readonly request: Uint8Array<ArrayBuffer>;
  /** The bytes of the answer. */
  readonly answerLength: number;
  /** The first byte of the answer. */
  readonly firstByte: number;
}

/**
 * Makes connections ready: each call then sends for as many seconds, waits for what is still to come, and returns how many answers
 * there were.
 */
export function closedLoop(
  connections: readonly number[],
  { request, answerLength, firstByte }: Exchange,
): (seconds: number) => number {
  const poll = new Poll(connections);
  const missing = connections.map(() => 0);
  return (seconds) => {
    const end = performance.now() + seconds * 1000;
    let answers = 0;
    let busy = 0;
    const start = (index: number) => {
      missing[index] = answerLength;
      busy++;
      poll.send(index, request);
    };
    for (const index of connections.keys()) start(index);
    while (busy > 0) {
      const goOn = performance.now() < end;
      poll.wait((index, count, first) => {
        if (missing[index] === answerLength && first !== firstByte) throw new Error("The server sent something else");
        missing[index]! -= count;
        if (missing[index]! > 0) return;
        answers++;
        busy--;
        if (goOn) start(index);
      });
    }
    return answers;
  };
}
