/** Statuses for what goes wrong: through the fault of a client, or of whoever was to answer. */

/** A status for what a client did wrong, or for what it asks too much of. */
export type FaultStatus = 400 | 408 | 413 | 503;

/** What to answer. */
export interface Fault {
  readonly status: FaultStatus;
  /** One sentence for the client. */
  readonly detail: string;
}

/** The status to answer with, since there is no answer. */
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

/** An error for a request that cannot be understood, or is not taken whole. */
export function badRequest(detail: string, status: FaultStatus = 400): Error {
  return blame(new Error(detail), status);
}
