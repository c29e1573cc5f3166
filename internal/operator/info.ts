/** The Info CHOP: the channels, and the clocks behind them. */

// A type and not an interface, which has no index signature: so `response.data` takes it.
/** The Info CHOP channels, by the manual's names. */
export type Info = {
  /** 1 while the server is active, else 0. */
  server_running: number;
  /** Open WebSocket connections. */
  websocket_connections: number;
  /** Rows of this operator's table: see `rows()`. */
  num_rows: number;
  /** Columns of this operator's table. */
  num_cols: number;
  /** Callbacks run since the process started. */
  total_cooks: number;
  /** Milliseconds that the last callback took; an async one counts until it settled. */
  cook_time: number;
  /** The frame of the last callback, at 60 a second: 1 is the first one after this server's last start. */
  cook_frame: number;
  /** The frame of the last callback, at 60 a second: 1 is the first one of the process. */
  cook_abs_frame: number;
  /** Milliseconds into that frame at which the last callback started. */
  cook_start_time: number;
  /** Milliseconds into that frame at which the last callback finished, which may be beyond the frame's end. */
  cook_end_time: number;
  /** 1 if a callback ran in the current frame, else 0. */
  cooked_this_frame: number;
  /** Warnings since the last start, or since `clearErrors()`. */
  warnings: number;
  /** Errors since the last start, or since `clearErrors()`. */
  errors: number;
};

/** Frames of the timeline in a millisecond. */
const RATE = 60 / 1000;
/** Milliseconds for which clocks are read after someone asked for the channels: a server that nobody watches pays nothing. */
const ATTENTION = 10_000;

type Channels = Pick<
  Info,
  "cook_time" | "cook_frame" | "cook_abs_frame" | "cook_start_time" | "cook_end_time" | "cooked_this_frame"
>;

/** When the last callback ran, in milliseconds of `performance.now()`. */
export class CookClock {
  /** Whether someone has asked for the channels recently. */
  watched = false;
  #asked = 0;
  #serverStart = 0;
  #start: number | undefined;
  #end = 0;

  /** The server starts, and with it its timeline. */
  reset(): void {
    this.#serverStart = performance.now();
  }

  /** A callback has run, from `start` until now. */
  cooked(start: number): void {
    this.#start = start;
    this.#end = performance.now();
    if (this.#end - this.#asked > ATTENTION) this.watched = false;
  }

  /** The channels; the clocks are read from now on, for ten seconds. */
  channels(): Channels {
    this.watched = true;
    this.#asked = performance.now();
    if (this.#start === undefined) {
      return {
        cook_time: 0,
        cook_frame: 0,
        cook_abs_frame: 0,
        cook_start_time: 0,
        cook_end_time: 0,
        cooked_this_frame: 0,
      };
    }
    const frame = Math.floor(this.#start * RATE);
    const frameStart = frame / RATE;
    return {
      cook_time: this.#end - this.#start,
      cook_frame: Math.floor(Math.max(0, this.#start - this.#serverStart) * RATE) + 1,
      cook_abs_frame: frame + 1,
      cook_start_time: this.#start - frameStart,
      cook_end_time: this.#end - frameStart,
      cooked_this_frame: Math.floor(performance.now() * RATE) === Math.floor(this.#end * RATE) ? 1 : 0,
    };
  }
}
