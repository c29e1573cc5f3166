/** The values of the panel. This file is loaded once, so the values stay when the callbacks are reloaded. */
export const values = new Map([["level", 0.5], ["speed", 1]]);
