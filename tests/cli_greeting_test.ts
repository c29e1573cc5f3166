/** What the program says at its start: the addresses for phones, and their QR code. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { renderUnicodeCompact } from "npm:uqr@0.1.3";
import { placesOf } from "../internal/cli/greeting.ts";
import { program, start, urlOf } from "./program.ts";
import { testWith } from "./programs.ts";

const SYS = "--allow-sys=networkInterfaces";
const ANY_PORT = [program, "--port", "0"];

const hasNetwork = placesOf(Deno.networkInterfaces(), 80, "http:").length > 0;

Deno.test("with the permission, the start prints an address that answers for each network", async () => {
  await using running = await start(ANY_PORT, ["--allow-net", SYS]);
  await running.printed(hasNetwork ? "For phones" : "is not in any network");
  running.kill("SIGTERM");
  // It has printed all of them together.
  const { stdout } = await running.ended();
  const urls = [...stdout.matchAll(/^For phones in the same network: (http:\/\/\S+\/) \(\S.*\)$/gm)].map(([, url]) =>
    url!
  );
  const { port } = new URL(urlOf(running));
  const addresses = Deno.networkInterfaces().map(({ address }) => `http://${address}:${port}/`);
  assertEquals(urls.length > 0, hasNetwork);
  assert(urls.every((url) => addresses.includes(url) && !url.includes("//127.")), stdout);
});

Deno.test("an address that is printed for phones answers", async () => {
  await using running = await start(ANY_PORT, ["--allow-net", SYS]);
  const { port } = new URL(urlOf(running));
  const [place] = placesOf(Deno.networkInterfaces(), Number(port), "http:");
  if (place === undefined) return await running.printed("is not in any network");
  const { url } = place;
  await running.printed(url);
  assertStringIncludes(await (await fetch(url)).text(), "TouchDesigner");
});

Deno.test("without the permission, one line says how to see the addresses for phones", async () => {
  await using running = await start(ANY_PORT, ["--allow-net"]);
  await running.printed(`To see the addresses for phones, run Deno with ${SYS}\n`);
});

Deno.test("a server that listens on loopback has no line for phones", async () => {
  await using running = await start([...ANY_PORT, "--localaddress", "127.0.0.1"], ["--allow-net", SYS]);
  running.kill("SIGTERM");
  assertEquals((await running.ended()).stdout, `${running.firstLine}\n`);
});

Deno.test("addresses for phones are IPv4, without loopback, virtual networks last, link-local ones if there is no other", () => {
  const of = (...addresses: [name: string, address: string][]) =>
    placesOf(
      addresses.map(([name, address]) => ({ name, address, family: address.includes(":") ? "IPv6" : "IPv4" })),
      8080,
      "https:",
    );
  const loopback: [string, string] = ["lo", "127.0.0.1"];
  const own: [string, string] = ["wlan0", "169.254.7.8"];
  assertEquals(of(loopback, ["docker0", "172.17.0.1"], ["eth0", "192.168.0.7"], ["eth0", "fe80::1"], own), [
    { url: "https://192.168.0.7:8080/", name: "eth0" },
    { url: "https://172.17.0.1:8080/", name: "docker0" },
  ]);
  assertEquals(of(loopback, own), [{ url: "https://169.254.7.8:8080/", name: "wlan0" }]);
  assertEquals(of(loopback), []);
});

for (
  const [what, args, permissions, reason] of [
    ["without the permission", [], [], `run Deno with ${SYS}`],
    ["on loopback", ["--localaddress", "127.0.0.1"], [SYS], "which only this machine can open"],
    ["where no terminal is", ["--localaddress", "0.0.0.0"], [SYS], hasNetwork ? "is not a terminal" : "any network"],
  ] as const
) {
  Deno.test(`--qr ${what} says why there is no QR code, and the server runs`, async () => {
    await using running = await start([...ANY_PORT, "--qr", ...args], ["--allow-net", ...permissions]);
    assertStringIncludes(await (await fetch(urlOf(running))).text(), "TouchDesigner");
    running.kill("SIGTERM");
    const { code, stderr } = await running.ended();
    assertEquals(code, 0);
    assertMatch(stderr, /^webserver1: Cannot show a QR code[.:] [^\n]*\n$/);
    assertStringIncludes(stderr, reason);
  });
}

/** Runs the program with --qr in a terminal of some columns, until one of these is on the screen; returns what is there. */
async function inTerminal(columns: number, until: RegExp): Promise<string> {
  const command = [Deno.execPath(), "run", "--no-lock", "--quiet", "--allow-net", SYS, ...ANY_PORT, "--qr"];
  const terminal = new Deno.Command("script", {
    args: [
      "--quiet",
      "--command",
      `stty cols ${columns}; exec ${command.map((word) => `'${word}'`).join(" ")}`,
      "/dev/null",
    ],
    env: { NO_COLOR: "1", SHELL: "/bin/sh" },
    stdin: "null",
    stdout: "piped",
    // It says there that it was ended.
    stderr: "null",
  }).spawn();
  let screen = "";
  try {
    for await (const text of terminal.stdout.pipeThrough(new TextDecoderStream())) {
      screen += text;
      if (until.test(screen)) break;
    }
  } finally {
    terminal.kill("SIGTERM");
    await terminal.status;
  }
  return screen.replaceAll("\r\n", "\n");
}

if (Deno.build.os === "linux" && hasNetwork) {
  testWith(["script"], "--qr shows the QR code of the first address for phones", async () => {
    const screen = await inTerminal(80, /The QR code is for \S+\r?\n/);
    const url = /For phones in the same network: (\S+)/.exec(screen)![1]!;
    assertStringIncludes(screen, `${renderUnicodeCompact(url, { border: 2 })}\nThe QR code is for ${url}`);
  });

  testWith(["script"], "--qr in a terminal of unknown size shows the QR code", async () => {
    assertMatch(await inTerminal(0, /(?:QR code is for \S+|has \d+)\r?\n/), /The QR code is for http/);
  });

  testWith(["script"], "--qr in a terminal that is too narrow says so", async () => {
    assertMatch(
      await inTerminal(20, /has \d+\r\n/),
      /Cannot show a QR code: it is \d+ columns wide, and the terminal has 20\n/,
    );
  });
}
