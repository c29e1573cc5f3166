/** The values of the panel. This file is loaded once, so they outlive each reload of the callbacks. */
export const values = new Map([["level", 0.5], ["speed", 1]]);
