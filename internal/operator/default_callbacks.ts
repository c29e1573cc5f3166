/** The callbacks of a new operator. */

import type { Callbacks } from "../../callbacks.ts";
import * as templateModule from "./template.ts";

/**
 * The callbacks of a new operator: HTTP requests get the operator's name, WebSocket messages come back. A server without
 * the `callbacks` parameter uses them.
 */
export const template: Readonly<Callbacks> = Object.freeze<Callbacks>({ ...templateModule });
