/** The program in a terminal, and without one: what the end of the terminal does, and one that is stopped. */

import { assertEquals, assertMatch } from "@std/assert";
import { connect, once } from "./helpers.ts";
import { program, startProgram } from "./program.ts";
import { testWith } from "./programs.ts";

const CONFIG = `${import.meta.dirname}/../deno.json`;

/**
 * Runs a program with a terminal of its own, of which only the first line is read until it is told to: "hangup" closes the terminal, "read"
 * reads on, and the end of standard input waits for the end of the program and prints how it ended.
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
  private constructor(
    readonly process: Deno.ChildProcess,
    readonly url: string,
    private readonly reader: ReadableStreamDefaultReader<string>,
  ) {}

  static async start(...args: string[]): Promise<InTerminal> {
    const process = new Deno.Command("python3", {
      args: [
        ...["-c", TERMINAL, Deno.execPath(), "run", "--quiet", "--allow-net", "--config", CONFIG, program],
        ...["--port", "0", "--localaddress", "127.0.0.1", ...args],
      ],
      env: { NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value = "" } = await reader.read();
    return new InTerminal(process, value.match(/http:\S+/)![0], reader);
  }

  async tell(command: "hangup" | "term"): Promise<void> {
    const writer = this.process.stdin.getWriter();
    await writer.write(new TextEncoder().encode(`${command}\n`));
    writer.releaseLock();
  }

  /** How the program has ended. */
  async ended(): Promise<string> {
    await this.process.stdin.close();
    return (await this.reader.read()).value!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reader.cancel();
    try {
      this.process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.process.status;
  }
}

if (Deno.build.os === "linux") {
  testWith(["python3"], "the end of its terminal stops the program gracefully", async () => {
    await using terminal = await InTerminal.start();
    const socket = await connect(terminal.url);
    const closed = once(socket, "close");
    await terminal.tell("hangup");
    const { code, reason } = await closed;
    assertEquals([code, reason], [1001, "The server is stopping"]);
    assertEquals(await terminal.ended(), "code 0\n");
  });

  testWith(
    ["python3"],
    "a terminal that shows nothing any more stops neither the answers of the program nor its end",
    async () => {
      await using terminal = await InTerminal.start("--log");
      // Far more than a terminal takes.
      const path = "x".repeat(200);
      for (let round = 0; round < 100; round++) {
        const answers = await Promise.all(Array.from({ length: 10 }, () => fetch(terminal.url + path)));
        for (const answer of answers) assertMatch(await answer.text(), /TouchDesigner/);
      }
      await terminal.tell("term");
      assertEquals(await terminal.ended(), "code 0\n");
    },
  );

  Deno.test("without a terminal SIGHUP does nothing: WebSockets stay open", async () => {
    await using running = await startProgram([]);
    const url = running.line.match(/http:\S+/)![0];
    const socket = await connect(url);
    for (let count = 0; count < 3; count++) {
      running.process.kill("SIGHUP");
      const echo = once(socket, "message");
      socket.send(`after ${count}`);
      assertEquals((await echo).data, `after ${count}`);
    }
    const closed = once(socket, "close");
    running.process.kill("SIGTERM");
    assertEquals((await closed).code, 1001);
    const { code, stdout, stderr } = await running.ended();
    assertEquals([code, stdout, stderr], [0, `${running.line}\n`, ""]);
  });

  Deno.test("SIGUSR2 restarts: WebSockets are closed with 1001, and the port is the same", async () => {
    await using running = await startProgram([]);
    const url = running.line.match(/http:\S+/)![0];
    const socket = await connect(url);
    const closed = once(socket, "close");
    running.process.kill("SIGUSR2");
    assertEquals((await closed).code, 1001);
    // 503 as long as it stops.
    let text = "";
    while (!text.includes("TouchDesigner")) text = await fetch(url).then((answer) => answer.text()).catch(() => "");
    running.process.kill("SIGTERM");
    assertEquals((await running.ended()).code, 0);
  });
}
