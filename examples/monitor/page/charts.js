/** Live charts of the last two minutes, one for each channel. */

/** Seconds that a chart shows at most. */
const SPAN = 120;
/** After this many seconds without a sample, the line has a gap. */
const GAP = 2;
/** Seconds that a chart shows at least, even before there are enough samples. */
const SHORT = 20;
const HEIGHT = 120;

const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hour12: false,
});
const NUMBER = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });

/** The channels that are not counts. Only they have fractions. */
const UNITS = { cook_time: "ms", cook_start_time: "ms", cook_end_time: "ms", cooks_per_second: "" };
const FINE = [-3, -2, -1].flatMap((power) => [1, 2, 5].map((step) => step * 10 ** power));
const COARSE = Array.from({ length: 12 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat();

export const clock = (milliseconds) => CLOCK.format(milliseconds);
export const number = (value) => value === undefined || value === null ? "" : NUMBER.format(value);

/** The latest samples of every channel. Samples older than the span are dropped. */
export class Samples {
  times = [];
  #channels = new Map();

  /** @param {Record<string, number>} values The same channels each time */
  add(values) {
    const now = Date.now() / 1000;
    if (now - (this.times.at(-1) ?? now) > GAP) this.#push(now - GAP / 2, {});
    this.#push(now, values);
    let old = 0;
    while (this.times[old] < now - SPAN) old++;
    for (const list of [this.times, ...this.#channels.values()]) list.splice(0, old);
  }

  /** The samples of a channel, with null for a gap. */
  of(channel) {
    return this.#channels.get(channel) ?? [];
  }

  /** The lowest and the highest sample of a channel. */
  range(channel) {
    const values = this.of(channel).filter((value) => value !== null);
    return values.length === 0 ? [] : [Math.min(...values), Math.max(...values)];
  }

  #push(time, values) {
    for (const name of Object.keys(values)) {
      if (!this.#channels.has(name)) this.#channels.set(name, this.times.map(() => null));
    }
    this.times.push(time);
    for (const [name, list] of this.#channels) list.push(values[name] ?? null);
  }
}

/** A readable name of a channel, with its unit. */
function titleOf(channel) {
  const unit = UNITS[channel] ? ` (${UNITS[channel]})` : "";
  return channel.replace("websocket", "WebSocket").replaceAll("_", " ") + unit;
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A chart, as a figure for the page. Hidden from screen readers, since the table has the same numbers. */
export class Chart {
  element = document.createElement("figure");
  #channel;
  #samples;
  #value = document.createElement("output");
  #plot;
  #observer;

  constructor(channel, samples, stroke = "--accent") {
    this.#channel = channel;
    this.#samples = samples;
    this.element.className = "card chart";
    this.element.ariaHidden = "true";
    const caption = document.createElement("figcaption");
    caption.append(titleOf(channel), this.#value);
    const space = document.createElement("div");
    this.element.append(caption, space);
    this.#plot = new globalThis.uPlot(this.#options(stroke), [[], []], space);
    this.#observer = new ResizeObserver(([{ contentRect }]) => {
      if (contentRect.width > 0) this.#plot.setSize({ width: Math.floor(contentRect.width), height: HEIGHT });
    });
    this.#observer.observe(space);
  }

  draw() {
    this.#plot.setData([this.#samples.times, this.#samples.of(this.#channel)]);
    this.#tell();
  }

  /** Redraws the chart when the system changes to light or dark. */
  recolour() {
    this.#plot.redraw();
  }

  remove() {
    this.#observer.disconnect();
    this.#plot.destroy();
    this.element.remove();
  }

  /** Shows the value under the pointer, or else the latest. */
  #tell() {
    const values = this.#samples.of(this.#channel);
    const { idx } = this.#plot.cursor;
    const at = idx === null || idx === undefined ? "" : `${clock(this.#samples.times[idx] * 1000)}  `;
    this.#value.textContent = `${at}${number(at === "" ? values.at(-1) : values[idx])}`;
  }

  #options(stroke) {
    const axis = {
      stroke: () => colour("--muted"),
      grid: { stroke: () => colour("--line"), width: 1 },
      ticks: { show: false },
      font: "12px system-ui, sans-serif",
    };
    return {
      width: 320,
      height: HEIGHT,
      legend: { show: false },
      padding: [8, 12, 0, 0],
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: "monitor" }, points: { size: 7 } },
      hooks: { setCursor: [() => this.#tell()] },
      scales: {
        x: {
          range: () => {
            const { times } = this.#samples;
            const last = times.at(-1) ?? Date.now() / 1000;
            return [last - Math.min(SPAN, Math.max(SHORT, last - (times[0] ?? last))), last];
          },
        },
        // Start at zero if it is near, so that a small change does not look like a big one.
        y: {
          range(_plot, low, high) {
            if (low === null) return [0, 1];
            const bottom = low >= 0 && low <= high / 2 || low === high ? Math.min(low, 0) : low;
            return globalThis.uPlot.rangeNum(bottom, Math.max(high, bottom + 1), {
              min: { pad: 0 },
              max: { pad: 0.15 },
            });
          },
        },
      },
      axes: [
        { ...axis, size: 26, space: 80, values: (_plot, times) => times.map((time) => clock(time * 1000)) },
        {
          ...axis,
          size: 46,
          space: 28,
          incrs: this.#channel in UNITS ? [...FINE, ...COARSE] : COARSE,
          values: (_plot, values) => values.map((value) => COMPACT.format(value)),
        },
      ],
      series: [{}, {
        stroke: () => colour(stroke),
        fill: () => `color-mix(in srgb, ${colour(stroke)} 14%, transparent)`,
        width: 2,
        points: { show: false },
      }],
    };
  }
}
