/** The exit codes of the program. */

/** The server could not start, or lost its port for good. */
export const COULD_NOT_START = 1;
/** The command line is wrong. */
export const USAGE = 2;
