/** The callbacks of a new operator. */

import type { Callbacks } from "../../callbacks.ts";
import * as templateModule from "./template.ts";

/**
 * The callbacks of a new operator: they answer HTTP requests with the operator's name and echo WebSocket messages. A server
 * without the `callbacks` parameter uses them.
 */
export const template: Readonly<Callbacks> = Object.freeze<Callbacks>({ ...templateModule });
