/** The files of the page: strings in a module, since JSR does not take text imports (https://github.com/denoland/deno/issues/35546). */

/** The page; `{{name}}` is filled in. */
export const PAGE = String.raw`<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Link to TouchDesigner</title>
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="page.css{{query}}">
    <script type="module" src="page.js{{query}}"></script>
  </head>
  <body>
    <header>
      <h1>Link to TouchDesigner</h1>
      <p id="state" role="status" data-state="{{state}}"></p>
    </header>
    <main>
      <p>
        The server that you run in Deno has <code>op()</code>. After the four steps, it can reach the operators of your
        project that are next to and below the two DATs.
      </p>
      <svg viewBox="0 0 640 236" role="img" aria-labelledby="picture">
        <title id="picture">
          A component with the Text DAT deno, the WebSocket DAT deno_websocket that has it as its Callbacks DAT, and
          operators such as lights and log. The WebSocket DAT is connected to the server in Deno.
        </title>
        <rect class="frame" x="1" y="1" width="440" height="234" rx="12" />
        <text class="small" x="20" y="28">/project1</text>
        <g>
          <rect class="dat" x="20" y="46" width="180" height="70" rx="6" />
          <text x="36" y="76">deno</text>
          <text class="small" x="36" y="98">Text DAT</text>
          <rect class="dat" x="240" y="46" width="180" height="70" rx="6" />
          <text x="256" y="76">deno_websocket</text>
          <text class="small" x="256" y="98">WebSocket DAT</text>
          <rect class="other" x="20" y="146" width="180" height="70" rx="6" />
          <text x="36" y="176">lights</text>
          <text class="small" x="36" y="198">your operators</text>
          <rect class="other" x="240" y="146" width="180" height="70" rx="6" />
          <text x="256" y="176">log</text>
          <text class="small" x="256" y="198">your operators</text>
        </g>
        <path class="wire" d="M200 81 H240" />
        <path class="cable" d="M420 81 H500" />
        <rect class="server" x="500" y="46" width="138" height="70" rx="6" />
        <text x="516" y="76">your server</text>
        <text class="small" x="516" y="98">Deno, {{port}}</text>
      </svg>

      <section aria-labelledby="fast">
        <h2 id="fast">All at once</h2>
        <p>
          Show the network that the server should reach, open the Textport (Dialogs, Textport and DATs), paste this line
          and press Enter. It makes the DATs, and one more that connects when the project is opened.
        </p>
        <div class="copy">
          <code id="command">{{command}}</code>
          <button type="button" data-copy="command" aria-label="Copy the line">Copy</button>
        </div>
      </section>

      <section aria-labelledby="steps">
        <h2 id="steps">Or in four steps</h2>
        <ol>
          <li>
            <p>Make a Text DAT, name it <code>deno</code>, and paste this file into it.</p>
            <div class="copy">
              <details>
                <summary>callbacks.py</summary>
                <pre id="code" tabindex="0">{{code}}</pre>
              </details>
              <button type="button" data-copy="code" aria-label="Copy the file">Copy</button>
            </div>
          </li>
          <li>
            <p>Make a WebSocket DAT beside it. Set its parameter <b>Callbacks DAT</b>, on the page Received Messages, to <code>deno</code>.</p>
          </li>
          <li>
            <p>On the page Connect, set <b>Network Address</b> and <b>Network Port</b>. They are separate: the port is not part of the address.</p>
            <div class="copy">
              <code id="address">{{address}}</code>
              <button type="button" data-copy="address" aria-label="Copy the address">Copy</button>
            </div>
            <div class="copy">
              <code id="port">{{port}}</code>
              <button type="button" data-copy="port" aria-label="Copy the port">Copy</button>
            </div>
          </li>
          <li>
            <p>Turn <b>Active</b> on. The top of this page then says that TouchDesigner is connected.</p>
          </li>
        </ol>
      </section>
    </main>
  </body>
</html>
`;

/** The style sheet. */
export const STYLE = String.raw`:root {
  color-scheme: light dark;
  --ground: #f6f5f3;
  --surface: #ffffff;
  --ink: #1d1b19;
  --muted: #5f5a54;
  --line: #d6d1ca;
  --accent: #9a3b08;
  --on-accent: #ffffff;
  --good: #17703f;
}

@media (prefers-color-scheme: dark) {
  :root {
    --ground: #131217;
    --surface: #1d1b22;
    --ink: #f2eff6;
    --muted: #aca6b6;
    --line: #3a3643;
    --accent: #ffb561;
    --on-accent: #261600;
    --good: #6fd79a;
  }
}

* {
  box-sizing: border-box;
}

body {
  margin: 0;
  font: 1rem / 1.5 system-ui, sans-serif;
  color: var(--ink);
  background: var(--ground);
}

header,
main {
  max-width: 46rem;
  margin: 0 auto;
  padding: 1rem;
}

header {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  justify-content: space-between;
  gap: 0.25rem 1rem;
  border-bottom: 1px solid var(--line);
}

h1,
h2,
p {
  margin: 0;
}

h1 {
  font-size: 1.4rem;
}

h2 {
  font-size: 1.1rem;
}

main,
section,
li {
  display: grid;
  grid-template-columns: minmax(0, 1fr);
  gap: 0.75rem;
}

main {
  gap: 1.25rem;
}

section {
  padding: 1rem;
  background: var(--surface);
  border: 1px solid var(--line);
  border-radius: 0.75rem;
}

ol {
  margin: 0;
  padding: 0;
  display: grid;
  gap: 1.25rem;
  list-style: none;
  counter-reset: step;
}

li {
  counter-increment: step;
  padding-left: 2.5rem;
  position: relative;
}

li::before {
  content: counter(step);
  position: absolute;
  left: 0;
  width: 1.75rem;
  line-height: 1.75rem;
  text-align: center;
  font-weight: 600;
  color: var(--on-accent);
  background: var(--accent);
  border-radius: 50%;
}

code,
pre {
  font-family: ui-monospace, Menlo, Consolas, monospace;
  font-size: 0.9em;
}

.copy {
  display: flex;
  align-items: start;
  gap: 0.75rem;
}

.copy > :first-child {
  flex: 1;
  min-width: 0;
  padding: 0.6rem 0.75rem;
  border: 1px solid var(--line);
  border-radius: 0.5rem;
  background: var(--ground);
  overflow-wrap: anywhere;
}

pre {
  max-height: 24rem;
  margin: 0.75rem 0 0;
  overflow: auto;
}

button {
  min-width: 5.5rem;
  min-height: 2.75rem;
  font: inherit;
  font-weight: 600;
  color: var(--on-accent);
  background: var(--accent);
  border: 0;
  border-radius: 0.5rem;
  cursor: pointer;
}

summary {
  cursor: pointer;
}

:focus-visible {
  outline: 3px solid var(--accent);
  outline-offset: 2px;
}

#state {
  font-weight: 600;
  color: var(--muted);
}

#state[data-state="connected"] {
  color: var(--good);
}

svg {
  width: 100%;
  height: auto;
}

svg text {
  font: 600 17px system-ui, sans-serif;
  fill: var(--ink);
}

svg .small {
  font-weight: 400;
  font-size: 14px;
  fill: var(--muted);
}

.frame {
  fill: none;
  stroke: var(--line);
  stroke-width: 2;
}

.dat,
.other,
.server {
  fill: var(--surface);
  stroke: var(--accent);
  stroke-width: 2;
}

.other {
  stroke: var(--line);
}

.wire,
.cable {
  fill: none;
  stroke: var(--muted);
  stroke-width: 2;
  stroke-dasharray: 4 4;
}

.cable {
  stroke: var(--accent);
  stroke-width: 3;
  stroke-dasharray: none;
}
`;

/** The script of the page. */
export const SCRIPT = String.raw`const WORDS = {
  connected: "TouchDesigner is connected",
  waiting: "Waiting for TouchDesigner",
  gone: "The server does not answer",
};
const state = document.getElementById("state");

function say(kind) {
  if (state.textContent === WORDS[kind]) return;
  state.dataset.state = kind;
  state.textContent = WORDS[kind];
}

async function look() {
  try {
    const answer = await fetch("state" + location.search, { signal: AbortSignal.timeout(5000) });
    say((await answer.json()).connected ? "connected" : "waiting");
  } catch {
    say("gone");
  }
  setTimeout(look, 1000);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Browsers give the clipboard only to pages from this machine or over https.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("The browser does not copy");
  }
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    try {
      await copy(document.getElementById(button.dataset.copy).textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select it";
    }
    button.focus();
    setTimeout(() => button.textContent = "Copy", 2000);
  });
}

say(state.dataset.state);
look();
`;
