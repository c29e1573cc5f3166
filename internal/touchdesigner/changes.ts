/** Changes for TouchDesigner: those that wait to be sent, and the values that are kept to be sent again. */

import type { Outcome } from "./outcome.ts";

/** A change for TouchDesigner to make. */
export interface Change {
  /** The beginning of its JSON, `["lights","par","Value"`: what it changes. */
  readonly head: string;
  /** The rest of its JSON, `,0.5]`. */
  readonly rest: string;
  /** The operator. */
  readonly path: string;
  /** The outcome of an operation. A change without one sets a value; of several values, only the last one counts. */
  readonly outcome?: Outcome<unknown>;
  /** Bytes that replace one of its arguments. */
  readonly bytes?: { readonly data: Uint8Array<ArrayBuffer>; readonly at: number };
}

/** Bytes that a change takes in addition to its text. */
const OVERHEAD = 128;

/** Bytes that a change takes, roughly. */
export function costOf({ head, rest, bytes }: Change): number {
  return head.length + rest.length + (bytes?.data.length ?? 0) + OVERHEAD;
}

/** Characters of a batch, unless it is a single change: TouchDesigner applies a batch within one frame. */
const MAX_BATCH = 64 * 1024;

/** Changes that wait to be sent, in order. */
export class Queue {
  /** Bytes that may wait. Kept values are added even beyond that; a limit of their own bounds them. */
  readonly #limit: number;
  readonly #changes = new Map<number, Change>();
  /** The number of the last change of each value. */
  readonly #last = new Map<string, number>();
  #number = 0;
  /** The number of the last operation: values are not merged across it. */
  #barrier = 0;
  #cost = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get isEmpty(): boolean {
    return this.#changes.size === 0;
  }

  /**
   * Adds a change, which replaces an earlier value for the same target.
   *
   * @param kept Whether it is a kept value, of which there are not many
   * @returns False if too much waits
   */
  add(change: Change, kept = false): boolean {
    const cost = costOf(change);
    const isFull = this.#cost + cost > this.#limit;
    if (change.outcome !== undefined) {
      if (isFull && !this.isEmpty) return false;
      this.#barrier = ++this.#number;
    } else {
      const last = this.#last.get(change.head);
      // If too much waits, merging matters more than order.
      if (last !== undefined && (last > this.#barrier || isFull)) this.#remove(last);
      else if (isFull && !kept && !this.isEmpty) return false;
      this.#last.set(change.head, ++this.#number);
    }
    this.#changes.set(this.#number, change);
    this.#cost += cost;
    return true;
  }

  /** Takes the changes that fit into one message: several, or one with bytes. */
  take(): Change[] {
    const taken: Change[] = [];
    let length = 0;
    for (const [number, change] of this.#changes) {
      // It was settled before it was sent: it has timed out.
      if (change.outcome?.settled) {
        this.#remove(number);
        continue;
      }
      length += change.head.length + change.rest.length + 1;
      if (taken.length > 0 && (length > MAX_BATCH || change.bytes !== undefined)) break;
      this.#remove(number);
      taken.push(change);
      if (change.bytes !== undefined) break;
    }
    return taken;
  }

  /** Empties it. */
  clear(): Change[] {
    const all = [...this.#changes.values()];
    this.#changes.clear();
    this.#last.clear();
    this.#cost = 0;
    return all;
  }

  #remove(number: number): void {
    const change = this.#changes.get(number)!;
    this.#changes.delete(number);
    this.#cost -= costOf(change);
    if (change.outcome === undefined && this.#last.get(change.head) === number) this.#last.delete(change.head);
  }
}

/** The values that were set since the start, in the order in which they were set last. */
export class Kept {
  readonly #limit: number;
  readonly #values = new Map<string, Change>();
  /** Heads of cells and texts by operator: an operation that moves rows makes them invalid. */
  readonly #contents = new Map<string, Set<string>>();
  #cost = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Keeps a value; false if there are too many. */
  set(change: Change, isContent: boolean): boolean {
    const { head, path } = change;
    const before = this.#values.get(head);
    const cost = this.#cost - (before === undefined ? 0 : costOf(before)) + costOf(change);
    // An old value is worse than none.
    if (before !== undefined) this.#forget(before);
    if (cost > this.#limit) return false;
    this.#values.set(head, change);
    this.#cost = cost;
    if (isContent) {
      const heads = this.#contents.get(path);
      if (heads === undefined) this.#contents.set(path, new Set([head]));
      else heads.add(head);
    }
    return true;
  }

  /** Forgets the cells and the text of an operator. */
  forgetContents(path: string): void {
    for (const head of this.#contents.get(path) ?? []) this.#forget(this.#values.get(head)!);
    this.#contents.delete(path);
  }

  all(): Iterable<Change> {
    return this.#values.values();
  }

  #forget(change: Change): void {
    this.#values.delete(change.head);
    this.#cost -= costOf(change);
    const heads = this.#contents.get(change.path);
    heads?.delete(change.head);
    if (heads?.size === 0) this.#contents.delete(change.path);
  }
}
