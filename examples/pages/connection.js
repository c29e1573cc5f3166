/**
 * A WebSocket that comes back: when the network does, when the server does, when the phone wakes up.
 *
 *     const connection = new Connection("/panel", document.querySelector(".state"));
 *     connection.addEventListener("open", () => ...);                 // at every connect, so also after a loss
 *     connection.addEventListener("message", ({ data }) => ...);      // a string or an ArrayBuffer
 *     connection.addEventListener("close", () => ...);
 *     connection.send("text or bytes");                               // false: not connected, and not sent
 *
 * It keeps nothing to send it later: what a page has to say after a loss, it says in its "open" listener.
 *
 * Scripts do not see the pings of the protocol, and a link may die without a word. So there is a heartbeat: this end sends an
 * empty text message, and the server's callback sends it back:
 *
 *     onWebSocketReceiveText(webServer, client, data) {
 *       if (data === "") {
 *         webServer.webSocketSendText(client, "");
 *         return;
 *       }
 *
 * Listeners never see it. Without a sign of life the connection counts as lost.
 */

/** Milliseconds between two tries: at first, and at most. They double, with chance in it so that clients do not come all at once. */
const FIRST_DELAY = 250;
const LAST_DELAY = 8_000;
/** Milliseconds without a message before the page asks, and then until it gives up. Also what opening may take. */
const SILENCE = 10_000;
const PATIENCE = 5_000;

const WORDS = {
  connecting: "Connecting",
  open: "Connected",
  lost: "Connection lost, trying again",
  refused: "Refused by the server, reload the page",
  closed: "Closed",
};

export class Connection extends EventTarget {
  #url;
  #element;
  #state = "";
  #socket;
  /** The one timer: until the next try, the next heartbeat, or the end of patience. */
  #timer;
  #delay = FIRST_DELAY;
  #closed = false;

  /**
   * Connects at once, and stays connected while the page is shown.
   *
   * @param {string} uri Path and query of the WebSocket on the page's own server, relative to the page
   * @param {Element} [element] Shows the state in words, read out by screen readers; its data-state is one of the keys of WORDS
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
      // What was open when the phone fell asleep may be long gone.
      if (this.#state === "open") this.#ask();
      else this.#retryNow();
    });
    // Left for good, or kept by the browser for its back button: then it is shown again.
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
   * Sends a message if there is a connection; it is never sent later.
   *
   * @param {string | ArrayBuffer | ArrayBufferView} data
   * @returns {boolean} Whether it was handed to the socket
   */
  send(data) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(data);
    return true;
  }

  /** Bytes that are still to be sent: a sender of much waits until it is small. */
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

  /** Takes leave of the socket: nothing that it still has to tell is heard. */
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
    // A script does not learn why a handshake failed; that the server answers otherwise tells that it refuses.
    const answers = !wasOpen && await this.#serverAnswers();
    if (this.#state !== "open" && !this.#closed) this.#say(answers ? "refused" : "lost");
  }

  async #serverAnswers() {
    try {
      const url = new URL(this.#url);
      url.protocol = location.protocol;
      // Without credentials, so that no browser asks for a password in the middle of a show.
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
    // A try that is under way is not begun anew; it has an end of its own.
    if (this.#closed || this.#socket !== undefined) return;
    this.#delay = FIRST_DELAY;
    this.#open();
  }

  /** Waits for the next message, and asks for a sign of life when none comes. */
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
