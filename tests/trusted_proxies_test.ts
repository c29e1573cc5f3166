/** Proxies that are trusted by their networks. */

import { assertEquals } from "@std/assert";
import { looking, raw, type Subject } from "./helpers.ts";

/** The address that a server takes the client for, without the port. */
async function clientOf(subject: Subject, forwarded: string): Promise<string> {
  const head = `GET / HTTP/1.1\nHost: x\nConnection: close\nX-Forwarded-For: ${forwarded}\n\n`;
  const answer = await raw(subject.port, head, subject.server.address!.hostname);
  return JSON.parse(answer.split("\r\n\r\n")[1]!).replace(/:\d+$/, "");
}

/** A server with these proxies, and what it takes for the client behind some of them. */
async function behind(
  trustedProxies: string[],
  table: Record<string, string>,
  localaddress = "127.0.0.1",
): Promise<void> {
  await using subject = await looking((request) => request.clientAddress, { trustedProxies, localaddress });
  for (const [forwarded, expected] of Object.entries(table)) {
    assertEquals(await clientOf(subject, forwarded), expected, forwarded);
  }
}

Deno.test("every proxy of a trusted network is trusted, and no other", async () => {
  await behind(["127.0.0.0/8", "10.0.0.0/8", "192.168.4.0/22", "fd00::/8"], {
    "203.0.113.7, 10.255.0.1": "203.0.113.7",
    "203.0.113.7, 11.0.0.1": "11.0.0.1",
    "203.0.113.7, 192.168.7.255": "203.0.113.7",
    "203.0.113.7, 192.168.8.0": "192.168.8.0",
    "203.0.113.7, fdff::1": "203.0.113.7",
    "203.0.113.7, fe00::1": "[fe00::1]",
    "203.0.113.7, ::ffff:10.0.0.1": "203.0.113.7",
  });
});

Deno.test("a network of one address, and one of all", async () => {
  await behind(["127.0.0.1/32", "2001:db8::1/128"], {
    "1.2.3.4, 2001:db8::1": "1.2.3.4",
    "1.2.3.4, 2001:db8::2": "[2001:db8::2]",
  });
  await behind(["0.0.0.0/0"], { "1.2.3.4, 5.6.7.8": "1.2.3.4", "1.2.3.4, ::1": "[::1]" });
});

Deno.test('"loopback" trusts the proxies of this machine, over IPv4 and IPv6', async () => {
  const table = {
    "203.0.113.7": "203.0.113.7",
    "203.0.113.7, 127.1.2.3, ::1": "203.0.113.7",
    "1.2.3.4, 10.0.0.1": "10.0.0.1",
  };
  await behind(["loopback"], table);
  await behind(["loopback"], table, "::1");
});

Deno.test("a proxy outside of the trusted networks is the client", async () => {
  await behind(["10.0.0.0/8"], { "203.0.113.7": "127.0.0.1" });
});

Deno.test("of a chain of trusted proxies, 32 are followed, however many a client claims", async () => {
  const chain = (count: number) => ["203.0.113.7", ...Array(count).fill("10.0.0.1")].join(",");
  await behind(["loopback", "10.0.0.0/8"], {
    [chain(31)]: "203.0.113.7",
    [chain(32)]: "10.0.0.1",
    [chain(5000)]: "10.0.0.1",
    ",": "127.0.0.1",
    "203.0.113.7,": "127.0.0.1",
  });
});
