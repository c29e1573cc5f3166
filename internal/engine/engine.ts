/** What the runs of one server share. */

import type { Deadlines } from "./deadlines.ts";
import type { Hooks } from "./hooks.ts";
import type { Settings } from "./limits.ts";

/** What the runs of one server share. */
export interface Engine {
  readonly hooks: Hooks;
  readonly settings: Settings;
  /** Of bodies, and of what hooks do. */
  readonly deadlines: Deadlines;
  readonly slots: Slots;
}

/** The WebSockets that Deno holds, over all runs. */
export interface Slots {
  taken: number;
}
