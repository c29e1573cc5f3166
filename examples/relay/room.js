import { Connection } from "../pages/connection.js";

/** Messages that stay on the page, and their total size: characters of text, bytes of files. */
const KEPT = { messages: 200, size: 8 * 1024 * 1024 };
/** Bytes that the server accepts in one message. */
const LARGEST = 1024 * 1024;

const query = new URLSearchParams(location.search);
const room = encodeURIComponent(query.get("room") ?? "");
const log = document.getElementById("log");
const text = document.getElementById("text");
const file = document.getElementById("file");
const notice = document.getElementById("notice");

document.getElementById("title").textContent = document.title = `Room ${query.get("room") ?? ""}`;

const connection = new Connection(
  `/room/${room}?name=${encodeURIComponent(query.get("name") ?? "")}&senders`,
  document.querySelector(".state"),
);
// A second connection, so that the first one carries nothing but messages.
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

/**
 * Shows text as text, and bytes as a picture if they are one. Nothing is ever taken for markup.
 *
 * @param {string} [sender] Undefined if it is a message from this page
 */
function show(data, sender) {
  const item = document.createElement("li");
  if (sender === undefined) {
    item.className = "mine";
  } else {
    const from = document.createElement("strong");
    from.textContent = sender;
    item.append(from);
  }
  if (typeof data === "string") {
    item.append(data);
  } else {
    const picture = new Image();
    picture.alt = sender === undefined ? "The picture that you sent" : `A picture from ${sender}`;
    picture.src = URL.createObjectURL(new Blob([data]));
    const caption = document.createTextNode(size(data.byteLength));
    const done = () => URL.revokeObjectURL(picture.src);
    picture.onload = () => {
      caption.before(picture);
      done();
      log.scrollTop = log.scrollHeight;
    };
    picture.onerror = done;
    item.append(caption);
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

/** The sender of the next message, which the server sends as text before it. */
let sender;
connection.addEventListener("open", () => sender = undefined);
connection.addEventListener("message", ({ data }) => {
  if (sender === undefined) {
    sender = data;
  } else {
    show(data, sender);
    sender = undefined;
  }
});

function send(data) {
  const sent = connection.send(data);
  if (sent) show(data);
  notice.textContent = sent ? "" : "Not sent: not connected";
  return sent;
}

document.getElementById("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (text.value !== "" && send(text.value)) text.value = "";
});

file.addEventListener("change", async () => {
  const [chosen] = file.files;
  if (chosen === undefined) return;
  if (chosen.size > LARGEST) notice.textContent = `Not sent: ${chosen.name} is larger than ${size(LARGEST)}`;
  else send(await chosen.arrayBuffer());
  file.value = "";
});
