/** crossws on `Deno.serve`. */

import crossws, { type DenoOptions } from "npm:crossws@0.4.17/adapters/deno";
import { IDLE_TIMEOUT, name, subject } from "./subject.ts";

const hooks: Record<string, NonNullable<DenoOptions["hooks"]>> = {
  echo: {
    message(peer, message) {
      peer.send(message.rawData);
    },
  },
  broadcast: {
    open(peer) {
      peer.subscribe("everybody");
    },
    message(_peer, message) {
      adapter.publish("everybody", message.rawData);
    },
  },
};

const adapter = crossws({ hooks: hooks[name]!, idleTimeout: IDLE_TIMEOUT });
const options = { port: 0, hostname: "127.0.0.1", onListen: () => {} };
await subject(Deno.serve(options, (request, info) => adapter.handleUpgrade(request, info)).addr.port);
