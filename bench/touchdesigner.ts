/**
 * What the link to TouchDesigner carries: a hundred phones that each move a separate slider sixty times a second.
 *
 * The stand-in of the tests takes the place of TouchDesigner. It runs in a separate process, and so do the phones. It prints the messages and bytes a
 * second that reach the stand-in, and the time from a phone's send to the change there. `--json` prints for machines, `--phones N`,
 * `--rate N` (changes a second of each) and `--seconds N` change the size, `--one` lets all phones move the same parameter.
 */

import { parseArgs } from "node:util";
import { type Callbacks, WebServer } from "../mod.ts";
import { TouchDesigner } from "../touchdesigner.ts";
import { deno } from "../tests/support/deno.ts";
import { StandIn } from "../tests/touchdesigner/stand_in.ts";
import { quantile } from "./statistics.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    one: { type: "boolean", default: false },
    phones: { type: "string", default: "100" },
    rate: { type: "string", default: "60" },
    seconds: { type: "string", default: "5" },
  },
});
const [phones, rate, seconds] = [Number(values.phones), Number(values.rate), Number(values.seconds)];

const connected = Promise.withResolvers<void>();
await using touchDesigner = new TouchDesigner({ port: 0, onConnect: () => connected.resolve() });
await touchDesigner.listening;
const { par } = touchDesigner.op("lights");

let received = 0;
const callbacks: Callbacks = {
  // A message is the number of the phone and the time at which it was sent.
  onWebSocketReceiveText(_webServer, _client, data) {
    received++;
    const [phone, sent] = data.split(" ");
    par[`V${phone}`] = Number(sent);
  },
};
await using server = new WebServer({ port: 0, localaddress: "127.0.0.1", callbacks });
await server.start();

await using td = new StandIn();
await td.do(`
import time
lights = COMP(project1, 'lights')
latencies = []
for n in range(${phones}):
    lights.add('V%d' % n, 'Float', 0.0)
    lights.par.all['V%d' % n].watch = lambda sent: latencies.append(time.time() * 1000 - sent)
`);
await td.connect(touchDesigner.address!.url);
await connected.promise;

const counts = () => td.get("project1.op('deno_websocket').received");
const args = [
  "--allow-net",
  "--ignore-env",
  "bench/touchdesigner_phones.ts",
  server.address!.url,
  `${phones}`,
  `${rate}`,
  `${seconds}`,
];
await using load = deno("run", values.one ? [...args, "one"] : args);
await load.line(/^open$/);
const before = await counts();
const started = performance.now();
await load.write("go");
await load.line(/^done$/);
const passed = (performance.now() - started) / 1000;
const after = await counts();
const latencies: number[] = await td.get("latencies");

const figures = {
  phones,
  changes: Math.round(received / passed),
  messages: Math.round((after.text - before.text) / passed),
  kilobytes: Math.round((after.bytes - before.bytes) / passed / 1000),
  applied: Math.round(latencies.length / passed),
  p50: Number(quantile(latencies, 0.5).toFixed(1)),
  p99: Number(quantile(latencies, 0.99).toFixed(1)),
};
if (values.json) console.log(JSON.stringify(figures));
else {
  console.log(`${figures.phones} phones, ${figures.changes} changes a second`);
  console.log(
    `${figures.messages} messages and ${figures.kilobytes} KB a second reach TouchDesigner, with ${figures.applied} changes`,
  );
  console.log(`${figures.p50} ms from a phone to the change (half of them), ${figures.p99} ms (99 of 100)`);
}
