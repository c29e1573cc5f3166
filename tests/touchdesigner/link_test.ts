/** The link: which clients may connect, when values and operations are sent, and what happens when one side goes away. */

import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { TouchDesigner } from "../../touchdesigner.ts";
import { WebServer } from "../../mod.ts";
import { connect, disconnect, once, rawRequest } from "../helpers.ts";
import { testWith } from "../programs.ts";
import { RawWebSocket } from "../support/raw_websocket.ts";
import { linkAlone, linked, StandIn, WORLD } from "./stand_in.ts";
import { UPGRADE } from "../support/handshake.ts";

const test = (name: string, body: () => Promise<void>) => testWith(["python3"], name, body);

/** The status of the answer to a handshake. */
async function handshake(port: number, uri: string, headers: string[] = [`Host: 127.0.0.1:${port}`]): Promise<number> {
  const answer = await rawRequest(port, `GET ${uri}`, [...headers, ...UPGRADE]);
  return Number(answer.split(" ")[1]);
}

/** A client that says hello in place of TouchDesigner. */
async function impostor(url: string): Promise<WebSocket> {
  const socket = await connect(url);
  socket.send('{"hello":1}');
  await once(socket, "message");
  return socket;
}

// Who may connect

Deno.test("the link refuses a WebSocket of a web page with 403", async () => {
  await using link = await linkAlone();
  const { port } = link.link.address!;
  for (const origin of ["http://evil.example", "http://localhost:8080", "null", "https://127.0.0.1"]) {
    assertEquals(await handshake(port, "/", [`Host: 127.0.0.1:${port}`, `Origin: ${origin}`]), 403, origin);
  }
  assertEquals(link.link.connected, false);
});

Deno.test("the link refuses a name that is not its own, which a web page can have lead to it", async () => {
  await using link = await linkAlone();
  const { port } = link.link.address!;
  const headers = [`Host: evil.example:${port}`, `Origin: http://evil.example:${port}`];
  assertEquals(await handshake(port, "/", headers), 421);
  assertMatch(await rawRequest(port, "GET /setup.py", headers), /^HTTP\/1\.1 421 /);
  assertMatch(await rawRequest(port, "GET /setup.py", [`Host: localhost:${port}`]), /^HTTP\/1\.1 200 /);
});

Deno.test("the link has a WebSocket only at /", async () => {
  await using link = await linkAlone();
  assertEquals(await handshake(link.link.address!.port, "/td"), 404);
});

test("the link accepts TouchDesigner with the right token, and refuses others with 403", async () => {
  const token = "a-token-of-24-characters";
  await using subject = await linked({ token });
  const { port } = subject.link.address!;
  assertEquals(await subject.op("lights").par.Value.eval(), 0);
  for (
    const query of ["", "?token=", "?token=a-token-of-24-character", "?token=A-token-of-24-characters", `?t=${token}`]
  ) {
    assertEquals(await handshake(port, `/${query}`), 403, query);
    assertMatch(await rawRequest(port, `GET /${query}`), /^HTTP\/1\.1 403 /);
    assertMatch(await rawRequest(port, `GET /setup.py${query}`), /^HTTP\/1\.1 403 /);
  }
});

Deno.test("the link listens on other addresses than loopback with a token only, and says so", () => {
  for (const localaddress of ["", "0.0.0.0", "::", "192.168.0.7", "panel.local", "127.0.0.1.evil.example"]) {
    assertThrows(() => new TouchDesigner({ port: 0, localaddress }), TypeError, "without a token");
  }
  assertThrows(() => new TouchDesigner({ port: 0, token: "short" }), TypeError, "16 to 200");
  assertThrows(() => new TouchDesigner({ port: 0, token: "with/slash/and?question" }), TypeError, "16 to 200");
});

Deno.test("the link refuses options that it does not have, and values out of range", () => {
  assertThrows(() => new TouchDesigner({ prot: 1 } as never), TypeError, "prot");
  assertThrows(() => new TouchDesigner({ port: 65536 }), RangeError, "port");
  for (const timeout of [0, -1, NaN, Infinity, "5" as never]) {
    assertThrows(() => new TouchDesigner({ port: 0, timeout }), RangeError, "timeout");
  }
});

test("a client that does not identify itself as TouchDesigner replaces nobody", async () => {
  await using subject = await linked();
  const stranger = await connect(subject.url);
  stranger.send("who is there?");
  stranger.send('{"message":["fader",1]}');
  assertMatch(
    await subject.warned(),
    /^A message from 127\.0\.0\.1:\d+ is malformed, and is ignored: "who is there\?"$/,
  );
  assertEquals(await subject.op("lights").par.Value.eval(), 0);
  await disconnect(stranger);
});

test("a second TouchDesigner replaces the first, which is reported and does not come back", async () => {
  const connects: string[] = [];
  const second = Promise.withResolvers<void>();
  await using subject = await linked({
    onConnect(client) {
      if (connects.push(client) === 2) second.resolve();
    },
    onDisconnect: (client) => connects.push(`-${client}`),
  });
  const { td, op, url } = subject;
  op("lights").par.Value = 5;
  await td.until("lights.par.Value.val == 5");
  await using other = new StandIn();
  await other.do(WORLD);
  await other.connect(url);
  assertMatch(
    await subject.warned(),
    /^Another TouchDesigner \(.*\) has connected and replaces 127\.0\.0\.1:\d+$/,
  );
  await other.until("lights.par.Value.val == 5");
  assertEquals(connects, [connects[0], `-${connects[0]}`, connects[2]]);
  await td.until("project1.op('deno_websocket').connection is None");
  assertEquals(await td.get("project1.op('deno_websocket').par.active.val"), false);
  assertMatch((await td.get("printed")).join(), /another TouchDesigner has connected/);
  assertEquals(await op("lights").par.Value.eval(), 5);
  second.resolve();
});

test("broadcasts to phones do not reach TouchDesigner, and it is not in the list of their connections", async () => {
  await using subject = await linked();
  await using server = new WebServer({ port: 0, localaddress: "127.0.0.1" });
  await server.start();
  assertEquals([server.webSocketBroadcast("for phones"), server.webSocketConnections], [0, []]);
  const before = await subject.td.get("project1.op('deno_websocket').received['text']");
  await subject.op("lights").par.Value.eval();
  assertEquals(await subject.td.get("project1.op('deno_websocket').received['text']"), before + 1);
});

test("a TouchDesigner with another version of the callbacks is served, with a warning", async () => {
  await using subject = await linkAlone();
  const socket = await connect(subject.url);
  socket.send('{"hello":2}');
  assertMatch(
    await subject.warned(),
    /^TouchDesigner runs version 2 of the callbacks, but this is version 1: copy them again from http/,
  );
  assertEquals(subject.link.connected, true);
  await disconnect(socket);
});

// What is sent when

test("all that a callback sets goes out in one message, with the last value of each thing", async () => {
  await using subject = await linked();
  const { op, td } = subject;
  await op("lights").par.Value.eval();
  const before = await td.get("project1.op('deno_websocket').received['text']");
  for (let value = 0; value <= 1000; value++) {
    op("lights").par.Value = value;
    op("lights").par.Label = `n${value}`;
  }
  await op("lights").par.Value.eval();
  assertEquals(await td.get("project1.op('deno_websocket').received['text']"), before + 1);
  assertEquals(await td.get("[lights.par.Value.history, lights.par.Value.val, lights.par.Label.val]"), [
    1,
    1000,
    "n1000",
  ]);
});

test("operations keep their order, among themselves and relative to values", async () => {
  await using subject = await linked();
  const { op, td } = subject;
  await td.do(
    "seen = []; lights.par.Value.watch = seen.append; lights.par.Flash.watch = lambda value: seen.append('flash')",
  );
  op("lights").par.Value = 1;
  op("lights").par.Value = 2;
  op("lights").par.Flash.pulse();
  op("lights").par.Value = 3;
  op("lights").par.Value = 4;
  op("lights").par.Flash.pulse();
  op("lights").par.Flash.pulse();
  op("lights").par.Value = 5;
  await op("lights").par.Value.eval();
  assertEquals(await td.get("seen"), [2, "flash", 4, "flash", "flash", 5]);
});

test("a text and the cells of a table are written in the order in which they were set last", async () => {
  await using subject = await linked();
  const { op } = subject;
  op("log").text = "a\tb\n1\t2\n";
  op("log").cell(1, 0).val = "first";
  op("log").text = "c\td\n3\t4\n";
  op("log").cell(1, 1).val = "second";
  assertEquals(await op("log").rows(), [["c", "d"], ["3", "second"]]);
});

test("no more than sixty messages a second are sent, however much is set", async () => {
  await using subject = await linked();
  const { op, td } = subject;
  await op("lights").par.Value.eval();
  const before = await td.get("project1.op('deno_websocket').received['text']");
  const started = performance.now();
  let value = 0;
  while (performance.now() - started < 500) {
    op("lights").par.Value = ++value;
    await new Promise((resolve) => setTimeout(resolve));
  }
  await op("lights").par.Value.eval();
  const seconds = (performance.now() - started) / 1000;
  const messages = await td.get("project1.op('deno_websocket').received['text']") - before;
  assert(messages <= seconds * 60 + 1, `${messages} messages in ${seconds} s for ${value} changes`);
  assertEquals(await td.get("lights.par.Value.val"), value);
});

// What goes wrong

test("an operation that fails and is not awaited is a warning with the line of the user's code", async () => {
  await using subject = await linked();
  subject.op("lights").par.Missing.pulse();
  assertMatch(
    await subject.warned(),
    /^op\("lights"\)\.par\.Missing\.pulse\(\) failed: .* has no parameter Missing.*link_test\.ts:\d+:\d+\)?\)$/,
  );
});

test("an operation that fails and is awaited throws at the user's line, without a warning", async () => {
  await using subject = await linked();
  const { op, warnings } = subject;
  const error = await assertRejects(() => op("lights").par.Missing.pulse(), Error);
  assertMatch(error.stack!, /^Error: op\("lights"\)[^\n]*\n +at .*link_test\.ts:\d+:\d+/);
  await op("lights").par.Missing.pulse().catch(() => {});
  await assertRejects(() => Promise.all([op("nothing").text, op("page").text]));
  await op("page").text;
  assertEquals(warnings, []);
});

test("an operation that TouchDesigner does not answer in time rejects", async () => {
  await using subject = await linked({ timeout: 0.2 });
  await subject.td.do("project1.op('deno_websocket').connection.transport.pause_reading()");
  await assertRejects(
    () => subject.op("lights").par.Value.eval(),
    Error,
    'op("lights").par.Value.eval() failed: TouchDesigner did not answer within 0.2 s',
  );
  await subject.td.do("project1.op('deno_websocket').connection.transport.resume_reading()");
  // A late answer is not taken for that of another question.
  subject.op("lights").par.Value = 3;
  await subject.td.until("lights.par.Value.val == 3");
  const ask = (): Promise<unknown> => subject.op("lights").par.Value.eval().catch(ask);
  assertEquals(await ask(), 3);
});

test("malformed messages from TouchDesigner are warnings, and the link goes on", async () => {
  await using subject = await linked();
  const { td, op, warnings } = subject;
  const texts = [
    ...[
      "",
      "{",
      "null",
      "[]",
      "1",
      '"hello"',
      "{}",
      '{"hello":"1"}',
      '{"done":1}',
      '{"done":999,"results":[],"errors":[]}',
    ],
    ...['{"done":1,"results":[[0]],"errors":[]}', '{"done":1,"results":{"0":1},"errors":[]}', '{"message":"x"}'],
    ...['{"message":[1,2]}', '{"message":["a"]}', '{"__proto__":{"hello":1}}', "[".repeat(100_000), '{"done":1e999}'],
  ];
  for (const text of texts) await td.do(`project1.op('deno_websocket').sendText(${JSON.stringify(text)})`);
  for (const bytes of ["", "x", "{}", '{"answer":[1]}\\n', '{"answer":[999,0]}\\nx', "{\\nx", '{"message":1}\\n']) {
    await td.do(`project1.op('deno_websocket').sendBinary(b'${bytes}')`);
  }
  assertEquals(await op("lights").par.Value.eval(), 0);
  assertEquals(warnings.length, texts.length + 7);
  for (const warning of warnings) assertMatch(warning, /malformed|which it was not sent/);
});

test("malformed messages to TouchDesigner are printed there, and its script goes on", async () => {
  await using subject = await linked();
  const { td, op } = subject;
  await td.do("dat = project1.op('deno_websocket')");
  const texts = [
    "",
    "{",
    "null",
    "[]",
    "1",
    "{}",
    '{"batch":1}',
    '{"batch":"x","changes":[]}',
    '{"batch":1,"changes":5}',
  ];
  for (const text of texts) await td.do(`dat.callback('onReceiveText', 0, ${JSON.stringify(text)})`);
  for (const bytes of ["b''", "b'x'", "bytes([255, 10, 0])", `b'{"batch":1,"change":[],"at":9}\\n'`]) {
    await td.do(`dat.callback('onReceiveBinary', ${bytes})`);
  }
  assertMatch((await td.get("printed")).join("\n"), /a message from the server is malformed and was ignored/);
  assertEquals(await op("lights").par.Value.eval(), 0);
});

test("malformed changes in a batch fail one by one, and the others are carried out", async () => {
  await using subject = await linked();
  const { td } = subject;
  await td.do(`
dat = project1.op('deno_websocket')
sent = []
real = websocketDAT.sendText
websocketDAT.sendText = lambda self, text: sent.append(json.loads(text)) or 0
dat.callback('onReceiveText', 0, json.dumps({'batch': 1, 'changes': [
    [], 5, 'x', ['lights'], ['lights', 'unknown'], ['lights', 'par'], ['lights', 'par', 'Value', 1, 2], [7, 'text', ''],
    ['../x', 'eval', 'a'], ['lights/..', 'eval', 'a'], ['lights', 'call', '__class__'], ['lights', 'click', {}],
    ['log', 'clear', {'keepAll': 1}], ['lights', 'par', 'Value', 9]]}))
websocketDAT.sendText = real
`);
  const [answer] = await td.get("sent");
  assertEquals(answer.results, []);
  assertEquals(answer.errors.map(([index]: [number]) => index), Array.from({ length: 13 }, (_, index) => index));
  assertEquals(await td.get("lights.par.Value.val"), 9);
});

// What is reached

test("operators outside of the link's component are out of reach, unless deno_allow lists them", async () => {
  await using subject = await linked();
  const { op, td } = subject;
  await td.do(
    "other = COMP(root, 'other'); inner = COMP(other, 'inner'); inner.add('X', 'Float', 4.0); other.add('X', 'Float', 5.0)",
  );
  await td.do("sibling = COMP(root, 'project1x'); sibling.add('X', 'Float', 6.0)");
  for (const path of ["/other/inner", "/other", "/project1x", "/project1", "/nowhere"]) {
    await assertRejects(() => op(path).par.X.eval(), Error, `${path} is not below /project1, where the link is`);
  }
  assertEquals(await op("/project1/lights").par.Value.eval(), 0);
  await td.do("textDAT(project1, 'deno_allow').text = '# comment\\n/other/inner\\n\\n'");
  assertEquals(await op("/other/inner").par.X.eval(), 4);
  await assertRejects(() => op("/other").par.X.eval(), Error, "is not below /project1");
});

test("the link's own DATs are out of reach", async () => {
  await using subject = await linked();
  const { op, td } = subject;
  await td.do("textDAT(project1, 'deno_allow').text = '/'");
  for (const path of ["deno", "deno_websocket", "deno_allow", "deno_start"]) {
    await assertRejects(() => op(path).text, Error, "is a part of the link");
  }
});

// Coming and going

Deno.test("while TouchDesigner is away, operations reject at once", async () => {
  await using subject = await linkAlone();
  const { op, link } = subject;
  await assertRejects(() => op("lights").par.Flash.pulse(), Error, "failed: TouchDesigner is not connected");
  await assertRejects(() => link.send("a", 1), Error, "TouchDesigner is not connected");
  op("log").appendRow(["a"]);
  assertMatch(
    await subject.warned(),
    /^op\("log"\)\.appendRow\(\) failed: TouchDesigner is not connected \(at .*link_test\.ts/,
  );
  op("lights").par.Value = 1;
  assertEquals(subject.warnings.length, 1);
});

test("values that are set while TouchDesigner is away are sent when it comes, the last ones only", async () => {
  await using alone = await linkAlone();
  const { op, url } = alone;
  for (let value = 0; value <= 100; value++) op("lights").par.Value = value;
  op("lights").store("n", 1);
  op("lights").store("n", 2);
  op("page").text = "hello";
  op("log").text = "a\tb\n";
  op("log").cell(0, "b").val = "c";
  await using td = new StandIn();
  await td.do(WORLD);
  await td.connect(url);
  await td.until("page.text == 'hello' and table.text == 'a\\tc\\n'");
  assertEquals(await td.get("[lights.par.Value.val, lights.par.Value.history, lights.fetch('n')]"), [100, 1, 2]);
  assertEquals(alone.warnings, []);
});

test("all values are sent again after TouchDesigner is started again, operations are not", async () => {
  await using subject = await linked();
  const { op, td, url } = subject;
  op("lights").par.Value = 7;
  await op("lights").par.Flash.pulse();
  op("log").text = "a\n";
  await op("log").appendRow(["b"]);
  await td.do("project1.op('deno_websocket').par.active = False");
  await using other = new StandIn();
  await other.do(WORLD);
  await other.connect(url);
  await other.until("table.text == 'a\\n'");
  assertEquals(await other.get("[lights.par.Value.val, lights.par.Flash.pulses]"), [7, 0]);
});

test("cells that an operation has moved or cleared are not set again after a reconnect", async () => {
  await using subject = await linked();
  const { op, td } = subject;
  op("log").text = "a\nb\n";
  op("log").cell(1, 0).val = "c";
  await op("log").deleteRow(0);
  await td.do("table.text = 'fresh\\n'; project1.op('deno_websocket').connection.reset()");
  op("lights").par.Value = 2;
  await td.until("lights.par.Value.val == 2");
  assertEquals(await td.get("table.text"), "fresh\n");
});

test("after a connection is lost in a burst of 10,000 changes, both sides end up equal", async () => {
  await using subject = await linked();
  const { op, td } = subject;
  await td.do("for n in range(100): lights.add('V%d' % n, 'Float', -1.0)");
  await td.do(
    "rows = tableDAT(project1, 'grid'); rows.text = '\\n'.join('\\t'.join('-' for _ in range(10)) for _ in range(50))",
  );
  const expected: Record<string, number> = {};
  const grid = Array.from({ length: 50 }, () => Array<string>(10).fill("-"));
  for (let change = 0; change < 10_000; change++) {
    const [n, row, col] = [change * 37 % 100, change * 7 % 50, change * 3 % 10];
    if (change % 2 === 0) op("lights").par[`V${n}`] = expected[n] = change / 10;
    else op("grid").cell(row, col).val = grid[row]![col] = `c${change}`;
    if (change % 100 === 0) await new Promise((resolve) => setTimeout(resolve));
    if (change === 3_000 || change === 6_000) {
      await td.until(
        "project1.op('deno_websocket').connection is not None and project1.op('deno_websocket').connection.open",
      );
      await td.do("project1.op('deno_websocket').connection.reset()");
    }
  }
  op("lights").par.Count = 10_000;
  await td.until("lights.par.Count.val == 10000");
  // Each has an even number of changes, so only even V are set.
  const values = await td.get("[lights.par.all['V%d' % n].val for n in range(100)]");
  assertEquals(values, Array.from({ length: 100 }, (_, n) => expected[n] ?? -1));
  assertEquals(await td.get("rows.cellTexts"), grid);
});

test("an operation that waits for its answer when the connection is lost rejects", async () => {
  await using subject = await linked();
  const { op, td } = subject;
  await td.do("project1.op('deno_websocket').connection.transport.pause_reading()");
  const answer = op("lights").par.Value.eval();
  await td.do("project1.op('deno_websocket').connection.reset()");
  await assertRejects(() => answer, Error, "TouchDesigner disconnected before it answered");
});

for (const reports of [true, false]) {
  test(
    `TouchDesigner connects again when the link is started again, ${reports ? "also" : "even"} if its DAT ${
      reports ? "reports" : "does not report"
    } failed connects`,
    async () => {
      const first = await linkAlone();
      await using td = new StandIn();
      await td.do(WORLD);
      await td.do(`sys.modules['__main__'].REPORTS_FAILED_CONNECTS = ${reports ? "True" : "False"}`);
      await td.connect(first.url);
      first.op("lights").par.Value = 1;
      await td.until("lights.par.Value.val == 1");
      const { port } = first.link.address!;
      await first.link.close();
      await td.until("project1.op('deno_websocket').connection is None");
      await using second = await linkAlone({ port });
      second.op("lights").par.Value = 2;
      await td.until("lights.par.Value.val == 2");
      assertEquals(await td.get("failures"), []);
    },
  );
}

test("a project that is opened before the server runs connects when it does", async () => {
  const first = await linkAlone();
  const { port } = first.link.address!;
  const script = await (await fetch(`${first.url}setup.py`)).text();
  await first.link.close();
  await using td = new StandIn();
  await td.do(WORLD);
  await td.do(`exec(${JSON.stringify(script)}, dict(names_of(None)))`);
  // As after it was saved while it was connected.
  await td.do(
    "project1.op('deno_websocket').store('deno_connected', True); project1.op('deno_start').module.onStart()",
  );
  await using second = await linkAlone({ port });
  second.op("lights").par.Value = 2;
  await td.until("lights.par.Value.val == 2");
  assertEquals(await td.get("failures"), []);
});

test("a DAT whose Active is turned off by hand stays off", async () => {
  const gone = Promise.withResolvers<void>();
  await using subject = await linked({ onDisconnect: () => gone.resolve() });
  await subject.td.do("project1.op('deno_websocket').par.active = False");
  await gone.promise;
  // Longer than the callbacks wait before they connect again.
  await subject.td.do("later = []; run('args[0].append(1)', later, delayMilliSeconds=6000)");
  await subject.td.until("later");
  assertEquals(await subject.td.get("project1.op('deno_websocket').par.active.val"), false);
  assertEquals(subject.link.connected, false);
});

test("TouchDesigner answers pings, so it is not dropped as dead", async () => {
  await using subject = await linked({ idleTimeout: 4 });
  await subject.td.until("project1.op('deno_websocket').received['ping'] >= 2");
  assertEquals(await subject.op("lights").par.Value.eval(), 0);
  assertEquals(subject.link.connected, true);
});

test("a TouchDesigner that stops reading is dropped, costs little until then, and has everything when it is back", async () => {
  const gone = Promise.withResolvers<void>();
  await using subject = await linked({ idleTimeout: 4, onDisconnect: () => gone.resolve() });
  const { op, td } = subject;
  await td.do("stuck = project1.op('deno_websocket').connection; stuck.transport.pause_reading()");
  const row = ["x".repeat(64 * 1024)];
  const outcomes = Array.from(
    { length: 400 },
    () => op("log").appendRow(row).then(() => "done", (error) => error.message),
  );
  for (let value = 0; value <= 50_000; value++) op("lights").par.Value = value;
  await gone.promise;
  const messages = await Promise.all(outcomes);
  const refused = messages.filter((message) => /too much waits for TouchDesigner$/.test(message)).length;
  const failed = messages.filter((message) => /TouchDesigner disconnected before it answered$/.test(message)).length;
  assertEquals(refused + failed, 400);
  // 16 MiB may wait, and 1 MiB is under way.
  assert(refused >= 120 && refused < 160, `${refused} were refused`);
  await td.do("stuck.transport.resume_reading()");
  await td.until("lights.par.Value.val == 50000");
});

// Bounds

test("rows() of a large table is refused with its size, and its text is read", async () => {
  await using subject = await linked();
  const { op } = subject;
  const text = Array.from({ length: 100_000 }, (_, row) => `${row}\t${row * 2}\n`).join("");
  op("log").text = text;
  await assertRejects(
    () => op("log").rows(),
    Error,
    "/project1/log has 100000 rows of 2 cells; rows() reads 100000 cells at most: read text, or fewer columns",
  );
  assertEquals(await op("log").text, text);
});

test("an answer that is too long is an error, and the link stays connected", async () => {
  await using subject = await linked({ maxMessageSize: 100_000 });
  const { op, td } = subject;
  await td.do("page.text = 'x' * 99000; out.picture = b'x' * 100000");
  await assertRejects(() => op("page").text, Error, "the answer is too long: 99002 characters, 98976 at most");
  await assertRejects(() => op("out").saveByteArray(".jpg"), Error, "the answer is too long: 100000 bytes");
  await td.do("page.text = 'x' * 98000; out.picture = b'x' * 98000");
  assertEquals((await op("page").text).length, 98_000);
  assertEquals((await op("out").saveByteArray(".jpg")).length, 98_000);
});

for (const maxMessageSize of [16 * 1024 * 1024, 310_000]) {
  test(`many long answers to one batch come in several messages of up to ${maxMessageSize} bytes`, async () => {
    await using subject = await linked({ maxMessageSize });
    const { op, td } = subject;
    await td.do("page.text = 'x' * 300000");
    const texts = await Promise.all(Array.from({ length: 20 }, () => op("page").text));
    assertEquals(texts.map((text) => text.length), Array(20).fill(300_000));
  });
}

Deno.test("a change that is too long is refused where it is made", async () => {
  await using subject = await linkAlone();
  const { op } = subject;
  assertThrows(() => op("page").text = "x".repeat(8 * 1024 * 1024), RangeError, "are too many, 8388608 at most");
  assertThrows(
    () => op("a").call("B", new Uint8Array(16 * 1024 * 1024 + 1)),
    RangeError,
    "are too many, 16777216 at most",
  );
});

Deno.test("values above 16 MiB are not kept, and a warning says so", async () => {
  await using subject = await linkAlone();
  const { op, warnings } = subject;
  const value = "x".repeat(64 * 1024);
  for (let key = 0; key < 260; key++) op("lights").store(`k${key}`, value);
  // Of those that are kept, each may still change.
  op("lights").store("k0", "new");
  assert(warnings.length >= 4 && warnings.length <= 6, `${warnings.length} warnings`);
  assertMatch(warnings[0]!, /^op\("lights"\)\.store\("k25\d"\) is not kept, since 16777216 bytes of values are/);
});

test("messages of TouchDesigner above maxMessageSize are refused there", async () => {
  await using subject = await linked({ maxMessageSize: 100_000 });
  await subject.td.do(`
errors = []
for value in ['x' * 100000, b'x' * 100000]:
    try:
        op('/project1/deno').module.send('a', value)
    except Exception as error:
        errors.append(str(error))
`);
  const errors = await subject.td.get("errors");
  assertEquals(errors.length, 2);
  for (const error of errors) assertStringIncludes(error, "98976 at most");
  assertEquals(await subject.op("lights").par.Value.eval(), 0);
});

// The object itself

Deno.test("a new TouchDesigner() at the same address takes over what is connected and kept", async () => {
  await using first = await linkAlone();
  const { port } = first.link.address!;
  await first.link.close();
  const heard: string[] = [];
  const one = new TouchDesigner({ port, onMessage: () => heard.push("one") });
  await one.listening;
  const socket = await impostor(first.url);
  one.op("lights").par.Value = 1;
  assertStringIncludes((await once(socket, "message")).data, '["lights","par","Value",1]');
  socket.send('{"done":1,"results":[],"errors":[]}');
  const done = Promise.withResolvers<void>();
  const two = new TouchDesigner({
    port,
    onMessage(name) {
      heard.push(`two ${name}`);
      done.resolve();
    },
  });
  assertEquals([one.connected, two.connected], [true, true]);
  await one.close();
  socket.send('{"message":["fader",1]}');
  await done.promise;
  assertEquals(heard, ["two fader"]);
  await disconnect(socket);
  const again = await connect(first.url);
  const messages: string[] = [];
  const sent = Promise.withResolvers<void>();
  again.onmessage = ({ data }) => messages.push(data) === 2 && sent.resolve();
  again.send('{"hello":1}');
  await sent.promise;
  assertStringIncludes(messages[1]!, '["lights","par","Value",1]');
  await disconnect(again);
  await two.close();
});

Deno.test("a taken port is a warning, and the link listens when the port is free", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const warned = Promise.withResolvers<string>();
  await using link = new TouchDesigner({ port, onWarning: (message) => warned.resolve(message) });
  assertMatch(await warned.promise, /^Cannot listen on .*another program uses it.* Trying again every \d s$/);
  assertEquals(link.address, undefined);
  listener.close();
  await link.listening;
  assertEquals(link.address?.port, port);
});

Deno.test("a link that is closed says so for everything that is done with it", async () => {
  const subject = await linkAlone();
  await subject.link.close();
  await subject.link.close();
  await assertRejects(() => subject.op("a").par.B.eval(), Error, "the link was closed");
  subject.op("a").par.B = 1;
  assertEquals(subject.warnings, ['op("a").par.B was not set: the link was closed']);
  assertEquals([subject.link.connected, subject.link.address], [false, undefined]);
});

Deno.test("a link that is closed while TouchDesigner is connected rejects what waits, and closes the connection", async () => {
  await using subject = await linkAlone();
  const socket = await impostor(subject.url);
  const answer = subject.op("a").par.B.eval();
  await once(socket, "message");
  const closed = once(socket, "close");
  await Promise.all([
    assertRejects(() => answer, Error, "the link was closed"),
    subject.link.close(),
  ]);
  assertEquals((await closed).code, 1001);
});

Deno.test("without onWarning, warnings are printed, of many equal ones the first five", async () => {
  const lines: unknown[] = [];
  const { warn } = console;
  console.warn = (line: unknown) => lines.push(line);
  try {
    await using link = new TouchDesigner({ port: 0, name: "stage" });
    for (let time = 0; time < 100; time++) link.op("lights").par.Flash.pulse();
    await link.listening;
  } finally {
    console.warn = warn;
  }
  assertEquals(lines.length, 5);
  assertMatch(
    String(lines[0]),
    /^stage: op\("lights"\)\.par\.Flash\.pulse\(\) failed: TouchDesigner is not connected \(at /,
  );
});

Deno.test("a client that opens connections and says nothing leaves room for TouchDesigner", async () => {
  await using subject = await linkAlone();
  const { port } = subject.link.address!;
  const strangers = await Promise.all(Array.from({ length: 15 }, () => RawWebSocket.connect(port)));
  const socket = await impostor(subject.url);
  assertEquals(subject.link.connected, true);
  for (const stranger of strangers) stranger[Symbol.dispose]();
  await disconnect(socket);
});
