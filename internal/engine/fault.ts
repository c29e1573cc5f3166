/** Statuses for failures: those that are a client's fault, and those of the code that should have answered. */

/** A status for a client that did something wrong, or asks for too much. */
export type FaultStatus = 400 | 408 | 413 | 503;

/** What to answer. */
export interface Fault {
  readonly status: FaultStatus;
  /** One sentence for the client. */
  readonly detail: string;
}

/** The status to answer with if there is no answer. */
export class Failure {
  constructor(readonly status: FaultStatus | 500, readonly detail?: string) {}
}

const faults = new WeakMap<object, Fault>();

/** Marks an error as the client's fault: if nobody catches it, the answer has its status, and no error is counted. */
export function blame<Kind extends Error>(error: Kind, status: FaultStatus, detail = error.message): Kind {
  faults.set(error, { status, detail });
  return error;
}

/** What to answer to an error that is the client's fault, or undefined if it is not. */
export function faultOf(error: unknown): Fault | undefined {
  return typeof error === "object" && error !== null ? faults.get(error) : undefined;
}

/** An error for a request that cannot be understood, or is not read to its end. */
export function badRequest(detail: string, status: FaultStatus = 400): Error {
  return blame(new Error(detail), status);
}
