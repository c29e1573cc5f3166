/** The program in a terminal that ends or stops reading, and without a terminal. */

import { assertEquals, assertMatch } from "@std/assert";
import { connect, once } from "./helpers.ts";
import { startProgram, urlOf } from "./program.ts";
import { LINUX, testWith } from "./programs.ts";
import { CONFIG, PACKAGE } from "./support/deno.ts";
import { Program } from "./support/program.ts";

/**
 * Runs a program in a separate terminal, of which only the first line is read. Its input are commands: "hangup" closes the terminal, "term"
 * sends SIGTERM; at the end of the input it waits for the program and prints how it ended.
 */
const TERMINAL = `
import fcntl, os, subprocess, sys, termios
leader, follower = os.openpty()
def own():
    os.setsid()
    fcntl.ioctl(follower, termios.TIOCSCTTY, 0)
child = subprocess.Popen(sys.argv[1:], stdin=follower, stdout=follower, stderr=follower, preexec_fn=own)
os.close(follower)
line = b""
while not line.endswith(b"\\n"):
    line += os.read(leader, 1)
sys.stdout.write(line.decode().strip() + "\\n")
sys.stdout.flush()
for command in sys.stdin:
    if command == "hangup\\n":
        os.close(leader)
    elif command == "term\\n":
        child.terminate()
sys.stdout.write("code %d\\n" % child.wait())
`;

/** The program in a terminal. */
class InTerminal implements AsyncDisposable {
  readonly #python: Program;
  readonly url: string;

  private constructor(python: Program, url: string) {
    this.#python = python;
    this.url = url;
  }

  static async start(...args: string[]): Promise<InTerminal> {
    const python = new Program("python3", [
      ...["-c", TERMINAL, Deno.execPath(), "run", "--quiet", "--allow-net", "--config", CONFIG, PACKAGE],
      ...["--port", "0", "--localaddress", "127.0.0.1", ...args],
    ]);
    await python.next();
    return new InTerminal(python, urlOf(python));
  }

  tell(command: "hangup" | "term"): Promise<void> {
    return this.#python.write(command);
  }

  /** How the program has ended. */
  async ended(): Promise<string> {
    await this.#python.endInput();
    return await this.#python.next();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#python.stop("SIGKILL");
  }
}

testWith([LINUX, "python3"], "the end of its terminal stops the program gracefully", async () => {
  await using terminal = await InTerminal.start();
  const socket = await connect(terminal.url);
  const closed = once(socket, "close");
  await terminal.tell("hangup");
  const { code, reason } = await closed;
  assertEquals([code, reason], [1001, "The server is stopping"]);
  assertEquals(await terminal.ended(), "code 0");
});

testWith(
  [LINUX, "python3"],
  "a terminal that shows nothing any more stops neither the answers of the program nor its end",
  async () => {
    await using terminal = await InTerminal.start("--log");
    // Far more than a terminal buffers.
    const path = "x".repeat(200);
    for (let round = 0; round < 100; round++) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => fetch(terminal.url + path)));
      for (const answer of answers) assertMatch(await answer.text(), /TouchDesigner/);
    }
    await terminal.tell("term");
    assertEquals(await terminal.ended(), "code 0");
  },
);

testWith([LINUX], "without a terminal SIGHUP does nothing: WebSockets stay open", async () => {
  await using running = await startProgram([]);
  const url = urlOf(running);
  const socket = await connect(url);
  for (let count = 0; count < 3; count++) {
    running.kill("SIGHUP");
    const echo = once(socket, "message");
    socket.send(`after ${count}`);
    assertEquals((await echo).data, `after ${count}`);
  }
  const closed = once(socket, "close");
  running.kill("SIGTERM");
  assertEquals((await closed).code, 1001);
  const { code, stdout, stderr } = await running.ended();
  assertEquals([code, stdout, stderr], [0, `${running.firstLine}\n`, ""]);
});

testWith([LINUX], "SIGUSR2 restarts: WebSockets are closed with 1001, and the port is the same", async () => {
  await using running = await startProgram([]);
  const url = urlOf(running);
  const socket = await connect(url);
  const closed = once(socket, "close");
  running.kill("SIGUSR2");
  assertEquals((await closed).code, 1001);
  // 503 as long as it stops.
  let text = "";
  while (!text.includes("TouchDesigner")) text = await fetch(url).then((answer) => answer.text()).catch(() => "");
  running.kill("SIGTERM");
  assertEquals((await running.ended()).code, 0);
});
