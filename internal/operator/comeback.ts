/** Getting back a port that another program has taken. */

/** Milliseconds between two attempts: doubled each time, from the first to the longest. */
const FIRST = 1;
const LONGEST = 1_000;

/**
 * Makes attempts, with longer and longer waits between them, until one succeeds.
 *
 * @param attempt Tells whether it succeeded
 * @returns To be disposed of, which ends the attempts
 */
export function keepTrying(attempt: () => Promise<boolean>): Disposable {
  let ended = false;
  let timer: ReturnType<typeof setTimeout>;
  const tryAfter = (wait: number) => {
    timer = setTimeout(async () => {
      if (!await attempt() && !ended) tryAfter(Math.min(wait * 2, LONGEST));
    }, wait);
  };
  tryAfter(FIRST);
  return {
    [Symbol.dispose]() {
      ended = true;
      clearTimeout(timer);
    },
  };
}

/** The error of a server that has lost its port: of the same class as its cause. */
export function lostPort(cause: unknown): unknown {
  if (!(cause instanceof Error)) return cause;
  const Kind = cause.constructor as ErrorConstructor;
  return new Kind(`${cause.message}. The server has lost its port and tries to listen again; stop() ends that`, {
    cause,
  });
}
