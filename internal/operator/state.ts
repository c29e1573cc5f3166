/** The states of a server's life, each with what belongs to it. */

import type { ListenAddress, Listener } from "../engine/listener.ts";
import type { Files } from "./files.ts";

interface Stopped {
  readonly is: "stopped";
  /** It has never had a listener. */
  readonly fresh: boolean;
}

export interface Running {
  readonly is: "running";
  readonly listener: Listener;
  readonly files: Files;
}

/** `deno serve` has the listener. */
interface Served {
  readonly is: "served";
  /** Absent on a Unix socket, and in all but the first worker of `deno serve --parallel`. */
  readonly address: ListenAddress | undefined;
  /** Absent until a parameter names a file. */
  readonly files: Files | undefined;
  /** Requests wait for this: the callbacks module is being loaded. */
  readonly loading: Promise<void> | undefined;
}

/** Requests get 503, and `onServerStop` runs. */
interface Stopping {
  readonly is: "stopping";
  readonly address: ListenAddress | undefined;
}

/** Another program has taken the port during a restart. Parameter `active` is on, but nothing listens. */
interface Lost {
  readonly is: "lost";
  readonly port: number;
  readonly files: Files;
  /** The attempts to get the port back. */
  readonly comeback: Disposable;
}

/**
 * Changes are queued, so each one finds the server stopped, running, served or without its port; only user code sees it stopping.
 *
 * ```
 * stopped --> running --> stopping --> stopped, or running again (a restart), or lost
 * lost ----> running, or stopped
 * stopped --> served --> stopping --> stopped
 * ```
 */
export type State = Stopped | Running | Served | Stopping | Lost;
