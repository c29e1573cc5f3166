import { Connection } from "../pages/connection.js";

/** Messages that are kept on the page, and their size: characters of text, bytes of files. */
const KEPT = { messages: 200, size: 8 * 1024 * 1024 };
/** Bytes that the server takes in one message. */
const LARGEST = 1024 * 1024;

const query = new URLSearchParams(location.search);
const room = encodeURIComponent(query.get("room") ?? "");
const log = document.getElementById("log");
const text = document.getElementById("text");
const file = document.getElementById("file");
const notice = document.getElementById("notice");

document.getElementById("title").textContent = document.title = `Room ${query.get("room") ?? ""}`;

const connection = new Connection(
  `/room/${room}?name=${encodeURIComponent(query.get("name") ?? "")}`,
  document.querySelector(".state"),
);
// A connection of its own, so that nothing but what people send is in the room.
const people = new Connection(`/people/${room}`);

people.addEventListener("message", ({ data }) => {
  document.getElementById("people").replaceChildren(
    ...JSON.parse(data).map((name) => {
      const item = document.createElement("li");
      item.textContent = name;
      return item;
    }),
  );
});
people.addEventListener("close", () => document.getElementById("people").replaceChildren());

/** The sizes of the messages on the page, oldest first, and their sum. */
const sizes = [];
let total = 0;

function size(bytes) {
  return bytes < 1024 ? `${bytes} bytes` : `${(bytes / 1024).toFixed(1)} KiB`;
}

/** Shows text as text, and bytes as a picture if they are one: nothing that comes is markup. */
function show(data, mine) {
  const item = document.createElement("li");
  item.className = mine ? "mine" : "";
  if (typeof data === "string") {
    item.textContent = data;
  } else {
    const picture = new Image();
    picture.alt = mine ? "The picture that you sent" : "A picture that was sent";
    picture.src = URL.createObjectURL(new Blob([data]));
    const done = () => URL.revokeObjectURL(picture.src);
    picture.onload = () => {
      item.prepend(picture);
      done();
      log.scrollTop = log.scrollHeight;
    };
    picture.onerror = done;
    item.append(size(data.byteLength));
  }
  log.append(item);
  sizes.push(data.length ?? data.byteLength);
  total += sizes.at(-1);
  while (sizes.length > KEPT.messages || total > KEPT.size) {
    log.firstChild.remove();
    total -= sizes.shift();
  }
  log.scrollTop = log.scrollHeight;
}

connection.addEventListener("message", ({ data }) => show(data, false));

function send(data) {
  const sent = connection.send(data);
  if (sent) show(data, true);
  notice.textContent = sent ? "" : "Not sent: there is no connection";
  return sent;
}

document.getElementById("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (text.value !== "" && send(text.value)) text.value = "";
});

file.addEventListener("change", async () => {
  const [chosen] = file.files;
  if (chosen === undefined) return;
  if (chosen.size > LARGEST) notice.textContent = `Not sent: ${chosen.name} has more than ${size(LARGEST)}`;
  else send(await chosen.arrayBuffer());
  file.value = "";
});
