/**
 * A WebSocket that reconnects: when the network returns, when the server restarts, when the phone wakes up.
 *
 *     const connection = new Connection("/panel", document.querySelector(".state"));
 *     connection.addEventListener("open", () => ...);                 // at every connect, also after a loss
 *     connection.addEventListener("message", ({ data }) => ...);      // a string or an ArrayBuffer
 *     connection.addEventListener("close", () => ...);
 *     connection.send("text or bytes");                               // false: not connected, so not sent
 *
 * Messages are never kept for later. If a page has something to send after a loss, it sends it in its "open" listener.
 *
 * Scripts cannot see the pings of the protocol, and a connection may die silently. So there is a heartbeat: the page sends an
 * empty text message, and the server's callback sends it back:
 *
 *     onWebSocketReceiveText(webServer, client, data) {
 *       if (data === "") {
 *         webServer.webSocketSendText(client, "");
 *         return;
 *       }
 *
 * Listeners never get the heartbeat. If it does not come back, the connection counts as lost.
 */

/** Milliseconds between two tries, at first and at most. They double each time, and are random so that clients do not come all at once. */
const FIRST_DELAY = 250;
const LAST_DELAY = 8_000;
/** Milliseconds without a message until the heartbeat, and then until the connection counts as lost. Opening may take as long. */
const SILENCE = 10_000;
const PATIENCE = 5_000;

const WORDS = {
  connecting: "Connecting",
  open: "Connected",
  lost: "Connection lost, trying again",
  refused: "The server refused the connection. Reload the page.",
  closed: "Closed",
};

export class Connection extends EventTarget {
  #url;
  #element;
  #state = "";
  #socket;
  /** The only timer: for the next try, the next heartbeat, or the end of waiting. */
  #timer;
  #delay = FIRST_DELAY;
  #closed = false;

  /**
   * Connects at once, and stays connected as long as the page is shown.
   *
   * @param {string} uri Path and query of the WebSocket on the page's own server, relative to the page
   * @param {Element} [element] Shows the state in words, also to screen readers. Its data-state is one of the keys of WORDS
   */
  constructor(uri, element) {
    super();
    this.#url = new URL(uri, document.baseURI);
    this.#url.protocol = this.#url.protocol.replace("http", "ws");
    this.#element = element;
    element?.setAttribute("role", "status");
    element?.setAttribute("aria-live", "polite");
    addEventListener("online", () => this.#retryNow());
    addEventListener("offline", () => this.#lose());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState !== "visible") return;
      // The connection may have died while the phone was asleep.
      if (this.#state === "open") this.#ask();
      else this.#retryNow();
    });
    // The browser may keep a page that is left, and show it again at its back button.
    addEventListener("pagehide", () => this.#drop());
    addEventListener("pageshow", ({ persisted }) => {
      if (persisted && !this.#closed) this.#open();
    });
    this.#open();
  }

  /** "connecting", "open", "lost", "refused" or "closed". */
  get state() {
    return this.#state;
  }

  /**
   * Sends a message now or never.
   *
   * @param {string | ArrayBuffer | ArrayBufferView} data
   * @returns {boolean} False if there is no connection
   */
  send(data) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(data);
    return true;
  }

  /** Bytes that are not sent yet. Before sending a lot, wait until this is small. */
  get bufferedAmount() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /** Closes for good. */
  close() {
    this.#closed = true;
    this.#drop();
    this.#say("closed");
  }

  #open() {
    this.#drop();
    if (this.#state === "") this.#say("connecting");
    const socket = this.#socket = new WebSocket(this.#url);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.#delay = FIRST_DELAY;
      this.#say("open");
      this.#rest();
      this.dispatchEvent(new Event("open"));
    };
    socket.onmessage = ({ data }) => {
      this.#rest();
      if (data !== "") this.dispatchEvent(new MessageEvent("message", { data }));
    };
    socket.onclose = () => this.#lose();
    this.#after(PATIENCE, () => this.#lose());
  }

  /** Closes the socket, and ignores its later events. */
  #drop() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    if (socket === undefined) return;
    this.#socket = undefined;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(1000);
    if (this.#state === "open") {
      this.#say("lost");
      this.dispatchEvent(new Event("close"));
    }
  }

  async #lose() {
    if (this.#socket === undefined) return;
    const wasOpen = this.#state === "open";
    this.#drop();
    if (this.#closed) return;
    const wait = this.#delay * (0.5 + Math.random() / 2);
    this.#delay = Math.min(this.#delay * 2, LAST_DELAY);
    this.#after(wait, () => this.#open());
    // A script does not learn why a handshake failed. If the server answers a plain request, it has refused the WebSocket.
    const answers = !wasOpen && await this.#serverAnswers();
    if (this.#state !== "open" && !this.#closed) this.#say(answers ? "refused" : "lost");
  }

  async #serverAnswers() {
    try {
      const url = new URL(this.#url);
      url.protocol = location.protocol;
      // Without credentials, or the browser might ask for a password in the middle of a show.
      await fetch(url, {
        method: "HEAD",
        credentials: "omit",
        cache: "no-store",
        signal: AbortSignal.timeout(PATIENCE),
      });
      return true;
    } catch {
      return false;
    }
  }

  #retryNow() {
    // Do not restart a try that is under way. It has a time limit.
    if (this.#closed || this.#socket !== undefined) return;
    this.#delay = FIRST_DELAY;
    this.#open();
  }

  /** Waits for the next message, and sends a heartbeat if none comes. */
  #rest() {
    this.#after(SILENCE, () => this.#ask());
  }

  #ask() {
    this.send("");
    this.#after(PATIENCE, () => this.#lose());
  }

  #after(delay, task) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(task, delay);
  }

  #say(state) {
    this.#state = state;
    if (!this.#element || this.#element.dataset.state === state) return;
    this.#element.dataset.state = state;
    this.#element.textContent = WORDS[state];
  }
}
