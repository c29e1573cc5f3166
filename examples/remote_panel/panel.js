import { Connection } from "../pages/connection.js";

/** Milliseconds after a touch in which other panels do not move that control. */
const HOLD = 500;

const stage = document.querySelector(".stage");
const connection = new Connection("panel", document.querySelector(".state"));

/** The latest values from the server, by name. */
const state = {};
/** A timer for each control that was just touched, by name. */
const held = {};
/** The changes to send with the next frame. */
let changes = {};

const percent = (value) => `${Math.round(value * 100)} %`;
const toHex = (color) => "#" + color.map((part) => Math.round(part * 255).toString(16).padStart(2, "0")).join("");
const fromHex = (hex) => [1, 3, 5].map((at) => Number((parseInt(hex.slice(at, at + 2), 16) / 255).toFixed(3)));

function showLevel(name, value) {
  const slider = document.getElementById(name);
  slider.value = value;
  slider.style.setProperty("--fill", `${value * 100}%`);
  slider.ariaValueText = slider.parentElement.querySelector("output").value = percent(value);
}

/** How each value is shown. */
const shows = {
  brightness(value) {
    showLevel("brightness", value);
    light();
  },
  speed(value) {
    showLevel("speed", value);
    stage.style.setProperty("--period", `${10 - 9 * value}s`);
  },
  spread(value) {
    showLevel("spread", value);
    stage.style.setProperty("--spread", value);
  },
  color(value) {
    const hex = toHex(value);
    document.getElementById("color").value = hex;
    document.querySelector("output[for=color]").value = hex;
    stage.style.setProperty("--color", hex);
  },
  scene(value) {
    stage.dataset.scene = value;
    for (const button of document.querySelectorAll("[data-scene]")) {
      button.ariaPressed = String(Number(button.dataset.scene) === value);
    }
  },
  blackout(value) {
    document.getElementById("blackout").ariaPressed = String(value);
    light();
  },
  flash() {
    stage.classList.remove("flash");
    // Reading the layout makes the browser restart the animation.
    void stage.offsetWidth;
    stage.classList.add("flash");
  },
  panels: showClients,
  touchdesigner: showClients,
};

function light() {
  stage.style.setProperty("--brightness", state.blackout ? 0 : state.brightness ?? 0);
}

function showClients() {
  const { panels, touchdesigner } = state;
  document.getElementById("clients").textContent = `${panels} panel${panels === 1 ? "" : "s"}, ${
    touchdesigner ? "" : "no "
  }TouchDesigner connected`;
}

connection.addEventListener("message", ({ data }) => {
  const values = JSON.parse(data);
  Object.assign(state, values);
  for (const name of Object.keys(values)) if (!(name in held)) shows[name]?.(state[name]);
});

/** Shows a change at once, and sends it with the next frame, since a slider makes too many events to send each. */
function change(name, value) {
  if (connection.state !== "open") {
    // It cannot be sent, so move the control back.
    shows[name](state[name]);
    return;
  }
  shows[name](state[name] = value);
  clearTimeout(held[name]);
  held[name] = setTimeout(() => {
    delete held[name];
    shows[name](state[name]);
  }, HOLD);
  if (Object.keys(changes).length === 0) requestAnimationFrame(sendChanges);
  changes[name] = value;
}

function sendChanges() {
  // On a slow network, wait and then send the latest values only.
  if (connection.bufferedAmount > 0) {
    requestAnimationFrame(sendChanges);
    return;
  }
  connection.send(JSON.stringify(changes));
  changes = {};
}

for (const slider of document.querySelectorAll("input[type=range]")) {
  slider.addEventListener("input", () => change(slider.id, slider.valueAsNumber));
}
document.getElementById("color").addEventListener("input", ({ target }) => change("color", fromHex(target.value)));
for (const button of document.querySelectorAll("[data-scene]")) {
  button.addEventListener("click", () => change("scene", Number(button.dataset.scene)));
}
document.getElementById("blackout").addEventListener("click", () => change("blackout", !state.blackout));
document.getElementById("flash").addEventListener("click", () => {
  if (connection.send(JSON.stringify({ flash: true }))) shows.flash();
});
