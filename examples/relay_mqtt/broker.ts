/**
 * A connection to an MQTT broker that reconnects by itself, keeps a bounded backlog meanwhile, and counts lost messages.
 *
 * Messages are sent with quality of service 1: each is kept until the broker confirms it, and sent again over the next
 * connection otherwise. A receiver has to notice messages that come twice or never. For that, each message has two user
 * properties of MQTT 5: `from` is the process that sent it, and `n` its number there. The payload is not changed, and other
 * clients, such as TouchDesigner, can ignore the properties.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import mqtt, { type IPublishPacket, type MqttClient } from "npm:mqtt@5.16.0";

/** Milliseconds between two attempts to reach the broker. */
const RETRY = 1_000;
/** Milliseconds before the backlog is sent, so that the other servers can reconnect first when the broker restarts. */
const SETTLE = 2 * RETRY;
/**
 * Limits of the backlog. When it is full, the oldest message is dropped, since the last position of a fader matters most. A
 * larger backlog would not help: the broker, too, keeps a limited number for a slow receiver (Mosquitto: 1,000).
 */
const BACKLOG = { messages: 1_000, bytes: 16 * 1024 * 1024 };
/** Milliseconds that the broker has to confirm messages when this server stops. */
const FAREWELL = 2_000;
/** Messages that may be unconfirmed at once. The broker may ask for fewer (Mosquitto: 20). */
const WINDOW = 100;
/** Senders whose last number is remembered. Each start of a server is a new sender; the one silent longest is forgotten. */
const SENDERS = 1_000;

/** How to reach the broker, and how to handle its messages. */
export interface BrokerOptions {
  /** `mqtt://host:1883`, or `mqtts://` for TLS, `ws://`, `wss://`. */
  readonly url: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** The topics to subscribe to, such as `relay/+/+`. */
  readonly filter: string;
  /** In bytes. The broker is asked to send no larger messages. */
  readonly maxMessageSize: number;
  onMessage(topic: string, payload: Uint8Array): void;
}

interface Message {
  readonly topic: string;
  readonly payload: Buffer;
  readonly n: number;
}

/** The connection to the broker. */
export class Broker {
  readonly #options: BrokerOptions;
  readonly #from: string = crypto.randomUUID();
  /** The highest number of each sender, in the order of their last messages. */
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
  /** When the connection was lost. Undefined while connected, and before the first connection. */
  #lostAt: number | undefined;
  #failure = "";
  #told = { dropped: 0, missed: 0 };
  #teller: ReturnType<typeof setTimeout> | undefined;

  constructor(options: BrokerOptions) {
    this.#options = options;
  }

  /**
   * - `published`: messages that the broker has confirmed
   * - `dropped`: own messages that were not sent, since the backlog was full, the broker refused them or the server stopped
   * - `received`: messages from others that were delivered
   * - `missed`: messages from other servers that never came; a gap in the numbers shows them when the next one comes
   * - `repeated`: messages that came a second time, and were not delivered again
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

  /** Connects, and keeps trying until `end` is called. */
  connect(): void {
    const { url, username, password, filter, maxMessageSize } = this.#options;
    this.#ended = false;
    const client = this.#client = mqtt.connect(url, {
      protocolVersion: 5,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      properties: { maximumPacketSize: maxMessageSize + 1_024 },
      connectTimeout: 10_000,
      // In seconds. A broker that is silent for one and a half times as long counts as lost.
      keepalive: 10,
      // This class reconnects instead of the package, which would resend messages before the other servers are back.
      reconnectPeriod: 0,
    });
    client.on("connect", ({ properties }) => {
      this.#window = Math.min(WINDOW, properties?.receiveMaximum ?? WINDOW);
      // nl: the broker does not echo this client's messages. rh: nor send retained messages, which would come at each connect.
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

  /** Sends a message to all other subscribers of its topic, now or when the broker is back. */
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

  /** Ends the connection when all sent messages are confirmed. Messages in the backlog are dropped. */
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
    // The package would wait for a broker that hangs.
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

  /** Prints why the connection failed. The same reason is printed once in a row. */
  #fail({ message }: Error): void {
    if (message === this.#failure) return;
    this.#failure = message;
    console.error(`Cannot reach the broker at ${new URL(this.#options.url).host}: ${message}`);
  }

  #send(): void {
    const client = this.#client;
    while (client && this.#ready && this.#waiting.length > 0 && this.#unconfirmed.length < this.#window) {
      const message = this.#waiting.shift()!;
      this.#unconfirmed.push(message);
      const userProperties = { from: this.#from, n: `${message.n}` };
      client.publish(message.topic, message.payload, { qos: 1, properties: { userProperties } }, (error) => {
        // That connection has ended, and the message is in the backlog again.
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
    // A UUID has 36 characters. Storing longer ones would only cost memory.
    if (typeof from === "string" && from.length <= 36 && Number.isSafeInteger(Number(n))) {
      // A broker keeps the order of one client's messages.
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

  /** Counts lost messages, and prints the count once a second at most. */
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
    if (missed) console.error(`Lost ${missed} messages from other servers`);
  }
}
