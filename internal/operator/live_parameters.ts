/** The parameters in force: one object that everybody reads, since a change may come at any time. */

import type { Settings } from "../engine/limits.ts";
import type { WebServerParameters } from "./parameters.ts";

/** The parameters in force, some of which are limits of the engine. */
export class LiveParameters implements Settings {
  /** Frozen; a change replaces it. */
  current: WebServerParameters;

  constructor(initial: WebServerParameters) {
    this.current = initial;
  }

  get limits(): WebServerParameters {
    return this.current;
  }
}
