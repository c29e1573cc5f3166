/** Every verb, from a line of TypeScript to the stand-in's operators and back. */

import { assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { testWith } from "../programs.ts";
import { linked } from "./stand_in.ts";

const test = (name: string, body: () => Promise<void>) => testWith(["python3"], name, body);

test("op().par sets a parameter, and eval() and val read it", async () => {
  await using subject = await linked();
  const { op, td } = subject;
  op("lights").par.Value = 0.5;
  op("lights").par.Label.val = "übung 💡";
  op("lights").par.On = true;
  assertEquals(await op("lights").par.Value.eval(), 0.5);
  assertEquals(await op("lights").par.Label.val, "übung 💡");
  assertEquals(await op("lights").par.Driven.eval(), 2);
  assertEquals(await td.get("[lights.par.Value.val, lights.par.Label.val, lights.par.On.val]"), [
    0.5,
    "übung 💡",
    true,
  ]);
});

test("op().par.pulse() presses a pulse parameter", async () => {
  await using subject = await linked();
  await subject.op("lights").par.Flash.pulse();
  assertEquals(await subject.td.get("lights.par.Flash.pulses"), 1);
});

test("a menu is set by the name of an entry or by its number", async () => {
  await using subject = await linked();
  const { op } = subject;
  op("lights").par.Mode = "wild";
  assertEquals(await op("lights").par.Mode.eval(), "wild");
  op("lights").par.Mode.menuIndex = 2;
  assertEquals(await op("lights").par.Mode.val, "off");
  assertEquals(await op("lights").par.Mode.menuIndex, 2);
  op("lights").par.Free = "something else";
  assertEquals(await op("lights").par.Free.eval(), "something else");
});

test("a menu entry that does not exist is not set, and a warning lists those that do", async () => {
  await using subject = await linked();
  subject.op("lights").par.Mode = "wild";
  subject.op("lights").par.Mode.menuIndex = 3;
  assertMatch(
    await subject.warned(),
    /^op\("lights"\)\.par\.Mode\.menuIndex was not set: .* has no menu entry 3: it has 3$/,
  );
  subject.op("lights").par.Mode = "wilder";
  assertMatch(
    await subject.warned(),
    /^op\("lights"\)\.par\.Mode was not set: parameter Mode of \/project1\/lights has no menu entry 'wilder': it has calm, wild, off$/,
  );
  assertEquals(await subject.op("lights").par.Mode.eval(), "wild");
});

test("a parameter in expression mode keeps its expression, and a warning names it", async () => {
  await using subject = await linked();
  subject.op("lights").par.Driven = 7;
  assertEquals(
    await subject.warned(),
    'op("lights").par.Driven was not set: parameter Driven of /project1/lights is in expression mode (1 + 1), and was not changed',
  );
  assertEquals(await subject.td.get("[lights.par.Driven.mode.name, lights.par.Driven.expr]"), ["EXPRESSION", "1 + 1"]);
});

for (const mode of ["EXPORT", "BIND"]) {
  test(`a parameter in ${mode.toLowerCase()} mode is left as it is, and a warning says so`, async () => {
    await using subject = await linked();
    await subject.td.do(`lights.par.Value.mode = ParMode.${mode}`);
    subject.op("lights").par.Value = 7;
    assertMatch(await subject.warned(), new RegExp(`is in ${mode.toLowerCase()} mode, and was not changed$`));
    assertEquals(await subject.td.get("[lights.par.Value.mode.name, lights.par.Value.val]"), [mode, 0]);
  });
}

test("an unknown parameter is an error that names the nearest one", async () => {
  await using subject = await linked();
  await assertRejects(
    () => subject.op("lights").par.Valeu.eval(),
    Error,
    'op("lights").par.Valeu.eval() failed: /project1/lights has no parameter Valeu: did you mean Value?',
  );
  subject.op("lights").par.value = 1;
  assertMatch(await subject.warned(), /^op\("lights"\)\.par\.value was not set: .*: did you mean Value\?$/);
});

test("an unknown operator is an error that names its whole path", async () => {
  await using subject = await linked();
  await assertRejects(
    () => subject.op("light").par.Value.eval(),
    Error,
    'op("light").par.Value.eval() failed: there is no operator /project1/light',
  );
});

test("a value of the wrong type is TouchDesigner's error", async () => {
  await using subject = await linked();
  subject.op("lights").par.Value = "loud";
  assertEquals(
    await subject.warned(),
    'op("lights").par.Value was not set: TypeError: Value takes no str',
  );
});

test("op().text writes and reads a Text DAT and a table", async () => {
  await using subject = await linked();
  const { op, td } = subject;
  op("page").text = "<h1>Grüße</h1>\n";
  assertEquals(await op("page").text, "<h1>Grüße</h1>\n");
  op("log").text = "name\tscore\nAda\t3\n";
  assertEquals(await op("log").text, "name\tscore\nAda\t3\n");
  assertEquals(await td.get("table.cellTexts"), [["name", "score"], ["Ada", "3"]]);
  await assertRejects(() => op("lights").text, Error, "/project1/lights is not a DAT");
});

test("tables: rows, columns and cells", async () => {
  await using subject = await linked();
  const { op } = subject;
  const log = op("log");
  log.clear();
  log.appendRow(["name", "score"]);
  log.appendRow(["Ada", 3]);
  assertEquals(await log.appendRow(["Bob", 1.5]), 2);
  assertEquals(await log.insertRow(["Cleo", 2], "Bob"), 2);
  assertEquals(await log.appendRow(["Dan", true], "Ada"), 2);
  assertEquals(await log.replaceRow("Cleo", ["Cleopatra", 4]), 3);
  log.deleteRow(1);
  assertEquals(await log.appendCol(["rank", 1, 2]), 2);
  log.cell(1, "rank").val = "first";
  log.cell("Bob", 1).val = 9;
  assertEquals(await log.cell("Bob", "score").val, "9");
  assertEquals(await log.rows(), [
    ["name", "score", "rank"],
    ["Dan", "True", "first"],
    ["Cleopatra", "4", "2"],
    ["Bob", "9", ""],
  ]);
  await log.clear({ keepFirstRow: true });
  assertEquals(await log.rows(), [["name", "score", "rank"]]);
});

test("a cell, row or column that does not exist is an error", async () => {
  await using subject = await linked();
  const { op } = subject;
  op("log").appendRow(["a"]);
  op("log").cell(5, 0).val = "x";
  assertMatch(
    await subject.warned(),
    /^op\("log"\)\.cell\(5, 0\)\.val was not set: tdError: Invalid row or column index/,
  );
  await assertRejects(() => op("log").cell("b", 0).val, Error, "/project1/log has no cell 'b', 0");
  await assertRejects(() => op("log").deleteRow("b"), Error, "Invalid row or column");
  await assertRejects(() => op("page").rows(), Error, "/project1/page is not a table");
});

test("store() and fetch() use the operator's own storage", async () => {
  await using subject = await linked();
  const { op, td } = subject;
  op("lights").store("scores", { ada: [1, 2.5, null], on: true });
  assertEquals(await op("lights").fetch("scores"), { ada: [1, 2.5, null], on: true });
  assertEquals(await op("lights").fetch("other", "none"), "none");
  await td.do("project1.store('secret', 1)");
  await assertRejects(() => op("lights").fetch("secret"), Error, "/project1/lights has nothing stored as 'secret'");
  op("lights").store("bytes", new Uint8Array([0, 10, 255]));
  await op("lights").fetch("scores");
  assertEquals(await td.get("list(lights.fetch('bytes'))"), [0, 10, 255]);
});

test("saveByteArray() is the picture of a TOP", async () => {
  await using subject = await linked();
  const picture = await subject.op("out").saveByteArray(".jpg");
  assertEquals(picture, new Uint8Array([0xff, 0xd8, ...new TextEncoder().encode("picture\n\0")]));
  await assertRejects(() => subject.op("out").saveByteArray(".gif"), Error, "tdError: Unsupported file type");
  await assertRejects(() => subject.op("page").saveByteArray(".jpg"), Error, "/project1/page is not a TOP");
});

test("click() clicks a panel", async () => {
  await using subject = await linked();
  await subject.op("go").click();
  await subject.op("go").click(1);
  assertEquals(await subject.td.get("go.clicks"), [null, 1]);
  await assertRejects(() => subject.op("lights").click(), Error, "/project1/lights is not a panel that can be clicked");
});

test("call() calls a promoted method of an extension, and has its answer or its error", async () => {
  await using subject = await linked();
  const { op } = subject;
  assertEquals(await op("lights").call("Add", 1, 2, 3.5), 6.5);
  assertEquals(await op("lights").call("Size", new Uint8Array(70_000).fill(10)), ["bytes", 70_000, 10]);
  assertEquals(await op("lights").call("Picture"), new Uint8Array([0, 1, 10, 2]));
  assertEquals(await op("lights").call("Where"), "/project1/log");
  await assertRejects(
    () => op("lights").call("Fail"),
    Error,
    'op("lights").call("Fail") failed: ValueError: not today',
  );
  await assertRejects(() => op("lights").call("Missing"), Error, "has no method Missing");
  await assertRejects(() => op("lights").call("destroy"), Error, "only promoted methods of extensions");
  await assertRejects(() => op("lights").call("Odd"), Error, "a number that is not finite");
});

test("vfs.addByteArray() embeds a file, and returns the path to read it by", async () => {
  await using subject = await linked();
  const path = await subject.op("lights").vfs.addByteArray(new Uint8Array([1, 2, 3]), "a.jpg");
  assertEquals(path, "vfs:/project1/lights:a.jpg");
  assertEquals(await subject.td.get("list(lights.vfs.files['a.jpg'])"), [1, 2, 3]);
});

test("send() hands a value to deno_messages, and has its answer", async () => {
  await using subject = await linked();
  const { link, td } = subject;
  await assertRejects(() => link.send("offer", 1), Error, "there is no Text DAT named deno_messages");
  await td.do(`
messages = textDAT(project1, 'deno_messages')
messages.text = '''def onMessage(name, value):
    return [name, len(value)]
'''`);
  assertEquals(await link.send("offer", { a: 1, b: 2 }), ["offer", 2]);
  assertEquals(await link.send("picture", new Uint8Array([1, 2, 3])), ["picture", 3]);
});

test("onMessage gets the values and bytes that TouchDesigner sends by itself", async () => {
  const messages: unknown[] = [];
  const all = Promise.withResolvers<void>();
  await using subject = await linked({
    onMessage(name, value) {
      messages.push([name, value]);
      if (messages.length === 3) all.resolve();
    },
  });
  await subject.td.do("sent = [op('/project1/deno').module.send('fader', 0.5)]");
  await subject.td.do("sent.append(op('/project1/deno').module.send('operators', [lights, {'a': None}]))");
  await subject.td.do("sent.append(op('/project1/deno').module.send('preview', out.saveByteArray('.jpg')))");
  await all.promise;
  assertEquals(messages, [
    ["fader", 0.5],
    ["operators", ["/project1/lights", { a: null }]],
    ["preview", new Uint8Array([0xff, 0xd8, ...new TextEncoder().encode("picture\n\0")])],
  ]);
  assertEquals(await subject.td.get("sent"), [true, true, true]);
});

test("an onMessage that throws or rejects is a warning", async () => {
  await using subject = await linked({
    onMessage(name) {
      if (name === "sync") throw new Error("a mistake");
      return Promise.reject(new Error("a later mistake"));
    },
  });
  await subject.td.do("op('/project1/deno').module.send('sync', 1)");
  assertMatch(await subject.warned(), /^onMessage failed: Error: a mistake/);
  await subject.td.do("op('/project1/deno').module.send('async', 1)");
  assertMatch(await subject.warned(), /^onMessage failed: Error: a later mistake/);
});

test("a value that JSON cannot hold is refused at the line that sets it, and nothing is sent", async () => {
  await using subject = await linked();
  const { op, link } = subject;
  const circle: unknown[] = [];
  circle.push(circle);
  for (const value of [NaN, Infinity, undefined, 1n, () => 1, Symbol("s"), new Date(), new Map(), [NaN], { a: 1n }]) {
    assertThrows(() => op("lights").par.Value = value, TypeError, 'Cannot send op("lights").par.Value: ');
  }
  assertThrows(() => op("lights").store("a", circle as never), TypeError);
  assertThrows(() => op("lights").par.Value = op("lights").par.Count, TypeError, "await its eval() first");
  assertThrows(() => op("lights").par.Value = Promise.resolve(1), TypeError, "await it first");
  assertThrows(() => link.send("a", undefined), TypeError);
  assertEquals(await subject.td.get("lights.par.Value.history"), 0);
});

test("invalid paths, parameters and cell positions are refused at the line that uses them", async () => {
  await using subject = await linked();
  const { op } = subject;
  for (
    const path of [
      "",
      "..",
      "../x",
      "a/../b",
      "a b",
      "lights*",
      "a//b",
      "a/",
      "op('x')",
      "ä",
      "x".repeat(1001),
      1 as never,
    ]
  ) {
    assertThrows(() => op(path), TypeError, "Cannot use the path");
  }
  assertThrows(() => op("lights").par["Val ue"] = 1, TypeError, "Cannot use the parameter");
  assertThrows(() => op("log").cell(1.5, 0), TypeError, "Cannot find a row or column by 1.5");
  assertThrows(() => op("log").appendRow("abc" as never), TypeError, "a list is needed");
  assertThrows(() => op("page").text = 5 as never, TypeError, "it is not a string");
  // deno-lint-ignore no-explicit-any -- a mistake that the compiler would find
  assertThrows(() => (op("page") as any).txt = "x", TypeError);
});
