/** `askPassword`, at a terminal (one that `script` of util-linux makes) and without. */

import { assert, assertEquals } from "@std/assert";
import { utf16 } from "./helpers.ts";
import { testWith } from "./programs.ts";
import { output, Program } from "./support/program.ts";

const PROGRAM = `import { askPassword } from ${
  JSON.stringify(new URL("../internal/cli/ask_password.ts", import.meta.url))
};
try {
  console.log("got " + JSON.stringify(await askPassword()));
} catch (error) {
  console.log(String(error));
  Deno.exitCode = 1;
}
`;

/** Runs `body` with the command of a program that has no permissions, and prints the password. */
async function withProgram(body: (command: string[]) => Promise<void>): Promise<void> {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, PROGRAM);
  try {
    await body([Deno.execPath(), "run", "--quiet", "--no-prompt", "--no-config", "--no-lock", file]);
  } finally {
    await Deno.remove(file);
  }
}

/** What the program prints when it is given `input`. */
async function piped(input: string | Uint8Array): Promise<string> {
  let printed = "";
  await withProgram(async ([program, ...args]) => {
    printed = (await output(program!, args, { input })).stdout;
  });
  return printed;
}

/** All that a terminal shows when each question of the program is answered with the next keys. */
async function typed(...answers: string[]): Promise<string> {
  let screen = "";
  await withProgram(async (command) => {
    const args = ["--quiet", "--return", "--command", command.join(" "), "/dev/null"];
    await using terminal = new Program("script", args);
    let questions = "";
    for (const keys of answers) {
      // Keys sent before the question would be echoed by the terminal itself.
      questions += questions === "" ? "Password: " : "\r\nAgain: ";
      await terminal.printed(questions);
      await terminal.send(keys);
    }
    screen = (await terminal.ended()).stdout;
  });
  return screen;
}

Deno.test("askPassword() reads the first line of standard input if that is not a terminal", async () => {
  assertEquals(await piped("stage left\nsecond line\n"), 'got "stage left"\n');
  assertEquals(await piped("Bühne \r\n"), 'got "Bühne "\n');
  assertEquals(await piped("without an end"), 'got "without an end"\n');
});

Deno.test("askPassword() reads UTF-8 with a byte order mark, and UTF-16 in either byte order", async () => {
  const line = "Bühne 🔑\r\nsecond line\r\n";
  for (const input of [`\ufeff${line}`, utf16(line, true), utf16(line, false)]) {
    assertEquals(await piped(input), 'got "Bühne 🔑"\n');
  }
});

Deno.test("askPassword() refuses an empty line, no line, and bytes that are not UTF-8", async () => {
  for (const input of ["", "\n", "\r\nsecond line\n"]) {
    assertEquals(await piped(input), "RangeError: Cannot take the password: it is empty\n");
  }
  assert((await piped(new Uint8Array([0x61, 0xff, 0x0a]))).startsWith("TypeError"));
});

testWith(
  ["script"],
  "askPassword() asks twice at a terminal, and does not show the password",
  async () => {
    assertEquals(await typed("stage left\r", "stage left\r"), 'Password: \r\nAgain: \r\ngot "stage left"\r\n');
  },
);

testWith(["script"], "askPassword() lets a user correct a mistake at a terminal", async () => {
  // Backspace takes back a whole letter, Ctrl-U the line.
  assertEquals(await typed("Bü\x7fühne\r", "wrong\x15Bühne\r"), 'Password: \r\nAgain: \r\ngot "Bühne"\r\n');
});

testWith(["script"], "askPassword() refuses two different passwords, and an empty one", async () => {
  assert((await typed("one\r", "another\r")).endsWith("RangeError: Cannot take the password: the two differ\r\n"));
  assert((await typed("\r")).endsWith("RangeError: Cannot take the password: it is empty\r\n"));
});

testWith(["script"], "askPassword() stops asking at Ctrl-C and at Ctrl-D", async () => {
  assert((await typed("stage\x03")).endsWith("Interrupted: Cannot read the password: interrupted\r\n"));
  assert((await typed("\x04")).endsWith("UnexpectedEof: Cannot read the password: the input has ended\r\n"));
});
