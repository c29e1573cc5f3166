/** The page of the monitor. While it is visible, it asks for updates four times a second and shows what has changed. */

import { Chart, clock, number, Samples } from "./charts.js";
import { Connection } from "../../pages/connection.js";

/** Milliseconds between an update and the next request. */
const PAUSE = 250;
/** Milliseconds until a request without an answer is repeated. */
const PATIENCE = 5_000;
/** Milliseconds between two announcements of errors to a screen reader. */
const QUIET = 5_000;
/** The channels that have a chart at first, and the colours of those that count problems. */
const CHARTS = ["websocket_connections", "cooks_per_second", "cook_time", "errors"];
const COLOURS = { errors: "--bad", warnings: "--warn" };
/** Samples over which the rate is averaged. */
const RATE = 8;

const find = (id) => document.getElementById(id);
const make = (tag, text, attributes = {}) => {
  const element = document.createElement(tag);
  // Always as text and never as HTML, since clients can send anything.
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};

/** The latest parts from the server. Each message has the parts that changed. */
const state = {};
const samples = new Samples();
const charts = new Map();

const { content: ticket } = document.querySelector("meta[name=ticket]");
const connection = new Connection(`live?ticket=${ticket}`, find("connection"));
let timer;

function look() {
  clearTimeout(timer);
  if (document.visibilityState !== "visible") return;
  connection.send("look");
  timer = setTimeout(look, PATIENCE);
}

connection.addEventListener("open", () => {
  look();
  renderSwitches();
});
connection.addEventListener("close", () => {
  clearTimeout(timer);
  renderSwitches();
});
connection.addEventListener("message", ({ data }) => {
  const news = JSON.parse(data);
  if ("failed" in news) return fail(news.failed);
  if (news.active) fail("");
  Object.assign(state, news);
  sample();
  for (const [part, render] of Object.entries(renderers)) if (part in news) render(news[part]);
  if (["name", "active", "switching", "address"].some((part) => part in news)) renderSwitches();
  renderInfo();
  clearTimeout(timer);
  timer = setTimeout(look, PAUSE);
});
document.addEventListener("visibilitychange", look);

/** Takes a sample of every Info channel, and of cooks per second, which is computed here. */
function sample() {
  const past = samples.of("total_cooks");
  const since = Math.max(0, past.length - RATE);
  const seconds = Date.now() / 1000 - samples.times[since];
  const rate = past[since] === null || !(seconds > 0) ? 0 : (state.info.total_cooks - past[since]) / seconds;
  samples.add({ ...state.info, cooks_per_second: Math.round(rate * 10) / 10 });
}

const renderers = {
  name(name) {
    find("name").textContent = name;
    document.title = `${name} monitor`;
  },

  parameters(parameters) {
    find("parameters").replaceChildren(...parameters.map(([name, value]) => {
      const row = make("tr");
      row.append(make("th", name, { scope: "row" }), make("td", value === "" ? "blank" : value));
      if (value === "") row.lastChild.className = "muted";
      return row;
    }));
  },

  rows([header, ...rows]) {
    const line = (tag, cells, attributes = () => ({})) => {
      const row = make("tr");
      row.append(...cells.map((cell, at) => make(tag, cell, attributes(header[at]))));
      return row;
    };
    const times = header.indexOf("opened");
    const head = make("thead");
    const body = make("tbody");
    head.append(line("th", header, () => ({ scope: "col" })));
    body.append(...rows.map((cells) => {
      const shown = cells.map((cell, at) => at === times ? clock(new Date(cell)) : cell);
      return line("td", shown, (column) => ({ "data-column": column }));
    }));
    find("rows").replaceChildren(head, body);
    const all = state.info.num_rows - 1;
    find("rows-count").textContent = number(all);
    find("rows-more").textContent = rows.length === 0
      ? "No WebSocket is open."
      : all > rows.length
      ? `The first ${rows.length} of ${number(all)}.`
      : "";
  },

  incidents: renderIncidents,

  callbacks({ text, wordwrap }) {
    find("callbacks").textContent = text;
    // "input": the viewer decides.
    find("wrap").disabled = wordwrap !== "input";
    find("wrap-why").textContent = wordwrap === "input" ? "" : `wordwrap is ${wordwrap}`;
    if (wordwrap !== "input") wrap(wordwrap === "on");
  },
};

function wrap(on) {
  find("callbacks").classList.toggle("wrapped", on);
  find("wrap").ariaPressed = String(on);
}

find("wrap").addEventListener("click", () => wrap(find("wrap").ariaPressed === "false"));

/* Info channels */

const cells = new Map();

function renderInfo() {
  for (const channel of [...Object.keys(state.info), "cooks_per_second"]) {
    if (!cells.has(channel)) addChannel(channel);
    const [low, high] = samples.range(channel);
    const texts = [samples.of(channel).at(-1), low, high].map(number);
    cells.get(channel).forEach((cell, at) => {
      if (cell.textContent !== texts[at]) cell.textContent = texts[at];
    });
  }
  for (const chart of charts.values()) chart.draw();
}

function addChannel(channel) {
  const row = make("tr");
  const head = make("th", undefined, { scope: "row" });
  const values = ["", "", ""].map((text) => make("td", text));
  const button = make("button", channel, { type: "button", "aria-pressed": "false" });
  head.append(button);
  row.append(head, ...values);
  find("info").append(row);
  cells.set(channel, values);
  button.addEventListener("click", () => {
    button.ariaPressed = String(button.ariaPressed === "false");
    showChart(channel, button.ariaPressed === "true");
  });
  if (CHARTS.includes(channel)) button.click();
}

function showChart(channel, shown) {
  charts.get(channel)?.remove();
  charts.delete(channel);
  if (!shown) return;
  const chart = new Chart(channel, samples, COLOURS[channel]);
  charts.set(channel, chart);
  find("charts").append(chart.element);
  // In the order of the table, after the channels that have a chart at first.
  const order = [...new Set([...CHARTS, ...cells.keys()])];
  find("charts").append(
    ...[...charts].sort(([one], [other]) => order.indexOf(one) - order.indexOf(other)).map(([, { element }]) =>
      element
    ),
  );
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const chart of charts.values()) chart.recolour();
});

/* Errors and warnings */

const shownIncidents = new Map();
let announced = 0;

function renderIncidents(incidents) {
  const list = find("incidents");
  const gone = new Set(shownIncidents.keys());
  // Insert new ones at the top, and do not touch the others, which may be open or focused.
  for (const incident of incidents.toReversed()) {
    gone.delete(incident.id);
    if (!shownIncidents.has(incident.id)) addIncident(list, incident);
    shownIncidents.get(incident.id).textContent = incident.count === 1
      ? clock(incident.last)
      : `${number(incident.count)} times, last ${clock(incident.last)}`;
  }
  for (const id of gone) {
    shownIncidents.get(id).closest("li").remove();
    shownIncidents.delete(id);
  }
  find("incidents-none").hidden = incidents.length > 0;
  announce(incidents[0]);
}

function addIncident(list, { id, kind, where, message, text }) {
  const item = make("li", undefined, { "data-kind": kind });
  const when = make("span", "", { class: "muted" });
  const title = make("span", undefined, { class: "title" });
  title.append(make("strong", kind === "error" ? "Error" : "Warning"), where === "" ? " " : ` in ${where} `, when);
  const summary = make(text === "" ? "div" : "summary");
  summary.append(title, make("span", message, { class: "message" }));
  if (text === "") {
    item.append(summary);
  } else {
    const details = make("details");
    details.append(summary, make("pre", text, { class: "text wrapped" }));
    item.append(details);
  }
  list.prepend(item);
  shownIncidents.set(id, when);
}

function announce(newest) {
  if (newest === undefined || newest.id <= announced) return;
  if (announced === 0 || Date.now() - announce.last > QUIET) {
    find("news").textContent = `${newest.kind}: ${newest.message}`;
    announce.last = Date.now();
  }
  announced = newest.id;
}

find("clear").addEventListener("click", () => connection.send("clearErrors"));

/* Active and Restart */

const DOING = { start: "Starting", stop: "Stopping", restart: "Restarting" };

function renderSwitches() {
  const { name, active, switching = [], address } = state;
  const connected = connection.state === "open" && name !== undefined;
  const busy = switching.length > 0;
  document.body.toggleAttribute("data-stale", !connected);
  for (const id of ["active", "clear"]) find(id).disabled = !connected;
  find("active").disabled ||= busy;
  find("restart").disabled = !connected || busy || !active;
  find("active").ariaChecked = String(active === true);
  if (name === undefined) return;
  const word = busy ? DOING[switching[0]] : active ? "Active" : "Stopped";
  const text = connected ? word : `${word} when last seen at ${clock(Date.now())}`;
  if (find("state").dataset.word !== `${word} ${connected}`) {
    find("state").textContent = text;
    find("state").dataset.word = `${word} ${connected}`;
  }
  find("state").dataset.active = String(active && !busy);
  find("address").textContent = active && address ? `Listens on ${address.url}` : "No client can connect";
}

function fail(message) {
  find("failed").textContent = message;
  find("failed").hidden = message === "";
}

let questions = 0;

/** Asks the user before clients are disconnected. */
function confirm(title, text, verb) {
  const dialog = find("confirm");
  find("confirm-title").textContent = title;
  find("confirm-text").textContent = text;
  find("confirm-do").textContent = verb;
  dialog.returnValue = "";
  dialog.showModal();
  const question = ++questions;
  return new Promise((resolve) => {
    dialog.addEventListener("close", function closed() {
      // The close event of one question may come after the next question was opened.
      if (question === questions && dialog.open) return;
      dialog.removeEventListener("close", closed);
      resolve(question === questions && dialog.returnValue === "yes");
    });
  });
}

function clients() {
  const { websocket_connections: open } = state.info;
  return open === 0
    ? "No WebSocket is open"
    : open === 1
    ? "This closes one WebSocket"
    : `This closes ${number(open)} WebSockets`;
}

find("active").addEventListener("click", async () => {
  fail("");
  if (!state.active) return connection.send("start");
  const text = `${clients()}. Nobody can connect until you turn it on again, here.`;
  if (await confirm(`Stop ${state.name}?`, text, "Stop")) connection.send("stop");
});

find("restart").addEventListener("click", async () => {
  fail("");
  const text = `${clients()}. Clients with auto-reconnect will be back shortly.`;
  if (await confirm(`Restart ${state.name}?`, text, "Restart")) connection.send("restart");
});
