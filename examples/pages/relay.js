/** The page of examples/parallel.ts and examples/relay_mqtt: it shows every message, and sends text with a name before it. */

import { Connection } from "./connection.js";

/** Messages that stay on the page, and the characters that are shown of each: the page may be open all night. */
const KEPT = 200;
const SHOWN = 1000;

const log = document.getElementById("log");
const name = document.getElementById("name");
const text = document.getElementById("text");
const notice = document.getElementById("notice");

// The path of the page is the path of the WebSocket: in relay_mqtt it is the room.
const connection = new Connection(location.pathname + location.search, document.querySelector(".state"));

connection.addEventListener("message", ({ data }) => {
  const item = document.createElement("li");
  const message = typeof data === "string" ? data : `${data.byteLength} bytes`;
  item.textContent = message.length > SHOWN ? `${message.slice(0, SHOWN)}…` : message;
  log.prepend(item);
  if (log.children.length > KEPT) log.lastChild.remove();
});

document.getElementById("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (text.value === "") return;
  // The server passes messages on as they are, so the name has to be in the message.
  const sent = connection.send(`${name.value.trim() || "Guest"}: ${text.value}`);
  notice.textContent = sent ? "" : "Not sent: not connected";
  // A message that could not be sent stays in its field.
  if (sent) text.value = "";
});
