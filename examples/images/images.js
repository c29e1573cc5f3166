import { Connection } from "../pages/connection.js";

/** Bytes that the server accepts in one request, minus what a form adds. */
const LARGEST = 12 * 1024 * 1024 - 1024;

const form = document.getElementById("form");
const gallery = document.getElementById("gallery");
const notice = document.getElementById("notice");

const connection = new Connection("/live", document.querySelector(".state"));

connection.addEventListener("message", ({ data }) => {
  const pictures = JSON.parse(data);
  // Keep the items of pictures that are already shown, so that the browser does not load them again.
  const there = new Map([...gallery.children].map((item) => [item.dataset.id, item]));
  gallery.replaceChildren(...pictures.map((picture) => there.get(picture.id) ?? itemOf(picture)));
  document.getElementById("count").textContent = pictures.length === 0
    ? "No pictures yet"
    : `${pictures.length} picture${pictures.length === 1 ? "" : "s"}`;
});

function itemOf({ id, name }) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  const image = new Image();
  const caption = document.createElement("span");
  item.dataset.id = id;
  image.alt = "";
  image.decoding = "async";
  image.loading = "lazy";
  link.href = image.src = `/images/${id}`;
  caption.textContent = link.title = name;
  link.append(image, caption);
  item.append(link);
  return item;
}

/** Sends files one by one: the size limit applies to each alone, and the others still arrive if one is refused. */
async function send(files) {
  const refused = [];
  for (const [index, file] of [...files].entries()) {
    if (file.size > LARGEST) {
      refused.push(reason(file, 413));
      continue;
    }
    notice.textContent = `Sending ${index + 1} of ${files.length}: ${file.name}`;
    const body = new FormData();
    body.append("files", file);
    try {
      // The response is a redirect to this page, so there is no need to follow it.
      const response = await fetch("/images", { method: "POST", body, redirect: "manual" });
      if (response.type !== "opaqueredirect") refused.push(reason(file, response.status));
    } catch {
      refused.push(`${file.name}: the connection was lost`);
    }
  }
  notice.textContent = refused.length === 0 ? "Sent" : `Not sent: ${refused.join("; ")}`;
}

function reason(file, status) {
  if (status === 413) return `${file.name} is too large`;
  if (status === 415) return `${file.name} isn't a supported image type`;
  return `${file.name}: the server answered ${status}`;
}

for (const input of form.querySelectorAll("input[type=file]")) {
  input.addEventListener("change", async () => {
    await send(input.files);
    input.value = "";
  });
}

// Accept drops anywhere on the page: the browser would otherwise open a file that misses the frame.
addEventListener("dragover", (event) => {
  event.preventDefault();
  form.classList.add("over");
});
addEventListener("dragleave", ({ relatedTarget }) => {
  if (relatedTarget === null) form.classList.remove("over");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  form.classList.remove("over");
  if (event.dataTransfer.files.length > 0) send(event.dataTransfer.files);
});
