/**
 * How often the server is asked where streams do not come through; in milliseconds.
 */

/** Between two looks, while something goes on and while nothing does. */
export const LOOK_MS = 2_000;
export const IDLE_LOOK_MS = 10_000;
