/**
 * A connection to an MQTT broker that comes back by itself, keeps a bounded backlog meanwhile, and counts what was lost.
 *
 * Messages go out with quality of service 1: each one is kept until the broker has confirmed it, and sent again over the
 * next connection if it has not. What a receiver would get twice by that, and what it did not get at all, shows in two user
 * properties of MQTT 5 that each message carries beside its payload, which stays as plain as it was: `from`, the process
 * that sent it, and `n`, its number there. Other clients, TouchDesigner among them, need not know of them.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import mqtt, { type IPublishPacket, type MqttClient } from "npm:mqtt@5.16.0";

/** Milliseconds between two tries to reach the broker. */
const RETRY = 1_000;
/** The same before the backlog is sent: after a restart of the broker the other servers are to be back as well. */
const SETTLE = 2 * RETRY;
/**
 * What is kept for the broker; beyond it, the oldest is dropped: of a fader, the last position counts. More messages would be
 * dropped by the broker, which keeps so many for each receiver that is slower than the sender (Mosquitto: 1,000).
 */
const BACKLOG = { messages: 1_000, bytes: 16 * 1024 * 1024 };
/** Milliseconds for the broker to confirm what has been sent, at the end. */
const FAREWELL = 2_000;
/** Messages sent and not yet confirmed; fewer where the broker says so (Mosquitto: 20). */
const WINDOW = 100;
/** Other processes whose last number is remembered. Each start of a server is a new one; the one silent longest is forgotten. */
const SENDERS = 1_000;

/** How to reach the broker, and what to do with its messages. */
export interface BrokerOptions {
  /** `mqtt://host:1883`, or `mqtts://` for TLS, `ws://`, `wss://`. */
  readonly url: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** The topics to listen to, such as `relay/+/+`. */
  readonly filter: string;
  /** Bytes; the broker is asked for nothing larger. */
  readonly maxMessageSize: number;
  onMessage(topic: string, payload: Uint8Array): void;
}

interface Message {
  readonly topic: string;
  readonly payload: Buffer;
  readonly n: number;
}

/** The connection. */
export class Broker {
  readonly #options: BrokerOptions;
  readonly #from: string = crypto.randomUUID();
  /** The highest number that has come from each other process, in the order of their last messages. */
  readonly #last = new Map<string, number>();
  readonly #counts = { published: 0, dropped: 0, received: 0, missed: 0, repeated: 0 };
  #n = 0;
  #waiting: Message[] = [];
  #unconfirmed: Message[] = [];
  #bytes = 0;
  #window = WINDOW;
  #client: MqttClient | undefined;
  #ready = false;
  #ended = true;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the connection was lost, or undefined while there is one or has never been one. */
  #lostAt: number | undefined;
  #failure = "";
  #told = { dropped: 0, missed: 0 };
  #teller: ReturnType<typeof setTimeout> | undefined;

  constructor(options: BrokerOptions) {
    this.#options = options;
  }

  /**
   * - `published`: messages that the broker has confirmed
   * - `dropped`: own messages given up, since the backlog was full, the broker refused them or the server stopped
   * - `received`: messages of others that were handed on
   * - `missed`: messages of other servers that never came, known by the gap in their numbers once the next one comes
   * - `repeated`: messages that came again, and were not handed on again
   * - `waiting`: own messages that the broker has not confirmed yet
   */
  get state(): Record<"published" | "dropped" | "received" | "missed" | "repeated" | "waiting", number> & {
    connected: boolean;
  } {
    return {
      connected: this.#client?.connected ?? false,
      waiting: this.#waiting.length + this.#unconfirmed.length,
      ...this.#counts,
    };
  }

  /** Connects, and goes on trying until `end`. */
  connect(): void {
    const { url, username, password, filter, maxMessageSize } = this.#options;
    this.#ended = false;
    const client = this.#client = mqtt.connect(url, {
      protocolVersion: 5,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      properties: { maximumPacketSize: maxMessageSize + 1_024 },
      connectTimeout: 10_000,
      // Seconds; a broker that says nothing for one and a half times that is given up.
      keepalive: 10,
      // This class connects again by itself: the package would send what is unconfirmed before the others are back.
      reconnectPeriod: 0,
    });
    client.on("connect", ({ properties }) => {
      this.#window = Math.min(WINDOW, properties?.receiveMaximum ?? WINDOW);
      // nl: what this client publishes does not come back to it. rh: no retained messages, which would come at each connect.
      client.subscribe(filter, { qos: 1, nl: true, rh: 2 }, (error) => {
        if (client !== this.#client) return;
        if (error) {
          this.#fail(error);
          client.end(true);
        } else {
          this.#connected();
        }
      });
    });
    client.on("message", (topic, payload, packet) => this.#receive(topic, payload, packet));
    client.on("error", (error) => this.#fail(error));
    client.on("close", () => {
      if (client === this.#client && !this.#ended) this.#disconnected();
    });
  }

  /** Sends a message to everyone else who listens to its topic, now or when the broker is back. */
  publish(topic: string, data: string | Uint8Array): void {
    const message: Message = { topic, payload: Buffer.from(data), n: ++this.#n };
    this.#waiting.push(message);
    this.#bytes += message.payload.length;
    while (this.#waiting.length > 0 && (this.#bytes > BACKLOG.bytes || this.#waiting.length > BACKLOG.messages)) {
      this.#bytes -= this.#waiting.shift()!.payload.length;
      this.#count("dropped", 1);
    }
    this.#send();
  }

  /** Ends the connection, once what has been sent is confirmed; what still waits is dropped. */
  async end(): Promise<void> {
    const client = this.#client;
    clearTimeout(this.#timer);
    this.#ready = false;
    this.#ended = true;
    if (client?.connected) {
      const farewell = Promise.withResolvers<void>();
      const timer = setTimeout(farewell.resolve, FAREWELL);
      client.end(() => farewell.resolve());
      await farewell.promise;
      clearTimeout(timer);
    }
    client?.end(true);
    // For a broker that hangs: the package goes on waiting for it.
    client?.stream.destroy();
    this.#client = undefined;
    this.#count("dropped", this.#waiting.length + this.#unconfirmed.length);
    this.#waiting = this.#unconfirmed = [];
    this.#bytes = 0;
    clearTimeout(this.#teller);
    this.#tell();
  }

  #connected(): void {
    const away = this.#lostAt === undefined ? undefined : Date.now() - this.#lostAt;
    console.log(
      away === undefined
        ? "Connected to the broker"
        : `Connected to the broker after ${(away / 1_000).toFixed(1)} s, with ${this.state.waiting} messages waiting`,
    );
    this.#timer = setTimeout(() => {
      this.#ready = true;
      this.#send();
    }, away === undefined ? 0 : SETTLE);
    this.#lostAt = undefined;
    this.#failure = "";
  }

  #disconnected(): void {
    clearTimeout(this.#timer);
    this.#client = undefined;
    this.#ready = false;
    if (this.#failure === "") this.#fail(new Error("the connection has ended"));
    this.#lostAt ??= Date.now();
    this.#waiting = [...this.#unconfirmed, ...this.#waiting];
    this.#unconfirmed = [];
    this.#timer = setTimeout(() => this.connect(), RETRY);
  }

  /** Says why there is no connection; the same reason once, however often it is met. */
  #fail({ message }: Error): void {
    if (message === this.#failure) return;
    this.#failure = message;
    console.error(`Cannot relay by the broker at ${new URL(this.#options.url).host}: ${message}`);
  }

  #send(): void {
    const client = this.#client;
    while (client && this.#ready && this.#waiting.length > 0 && this.#unconfirmed.length < this.#window) {
      const message = this.#waiting.shift()!;
      this.#unconfirmed.push(message);
      const userProperties = { from: this.#from, n: `${message.n}` };
      client.publish(message.topic, message.payload, { qos: 1, properties: { userProperties } }, (error) => {
        // Of a connection that has ended: it waits again.
        if (client !== this.#client) return;
        this.#unconfirmed.splice(this.#unconfirmed.indexOf(message), 1);
        this.#bytes -= message.payload.length;
        if (error) {
          this.#fail(error);
          this.#count("dropped", 1);
        } else {
          this.#counts.published++;
        }
        this.#send();
      });
    }
  }

  #receive(topic: string, payload: Uint8Array, { properties }: IPublishPacket): void {
    const { from, n } = properties?.userProperties ?? {};
    // A UUID has 36 characters; anything longer would only cost memory.
    if (typeof from === "string" && from.length <= 36 && Number.isSafeInteger(Number(n))) {
      // A broker hands on what one client sends in the order in which it was sent.
      const last = this.#last.get(from) ?? Number(n) - 1;
      if (Number(n) <= last) {
        this.#counts.repeated++;
        return;
      }
      this.#count("missed", Number(n) - last - 1);
      this.#last.delete(from);
      this.#last.set(from, Number(n));
      if (this.#last.size > SENDERS) this.#last.delete(this.#last.keys().next().value!);
    }
    this.#counts.received++;
    this.#options.onMessage(topic, payload);
  }

  /** Counts losses, and says so: at once a second, so that many of them do not fill the terminal. */
  #count(what: "dropped" | "missed", messages: number): void {
    if (messages === 0) return;
    this.#counts[what] += messages;
    this.#teller ??= setTimeout(() => this.#tell(), 1_000);
  }

  #tell(): void {
    this.#teller = undefined;
    const dropped = this.#counts.dropped - this.#told.dropped;
    const missed = this.#counts.missed - this.#told.missed;
    this.#told = { ...this.#counts };
    if (dropped) console.error(`Lost ${dropped} messages to other servers`);
    if (missed) console.error(`Lost ${missed} messages of other servers`);
  }
}
