/** What the pages of the package say: their links, their commands, and how a user's own folder uses the package. */

import { globSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { assert, assertEquals } from "@std/assert";
import project from "../deno.json" with { type: "json" };

const ROOT = new URL("../", import.meta.url);

/** The files that the package has, by their paths in it. */
const published = new Set(
  project.publish.include.flatMap((pattern) => globSync(pattern, { cwd: fileURLToPath(ROOT) }))
    .map((path) => path.replaceAll("\\", "/")),
);
const pages = [...published].filter((path) => path.endsWith(".md"));

/** The targets of links and pictures in a page, without code. */
function targets(text: string): string[] {
  const prose = text.replace(/^```[^]*?^```/gm, "").replace(/`[^`\n]*`/g, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"/g)].map(([, link, attribute]) =>
    link ?? attribute!
  );
}

/** The names by which a link leads to a heading, as GitHub makes them. */
function anchors(text: string): string[] {
  const headings = text.replace(/^```[^]*?^```/gm, "").matchAll(/^#+ (.*)$/gm);
  return [...headings].map(([, heading]) =>
    heading!.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
  );
}

Deno.test("every relative link of a published page leads to a published file, and to a heading that is there", async () => {
  assert(pages.includes("README.md") && pages.includes("docs/running.md"));
  const broken: string[] = [];
  for (const page of pages) {
    const from = new URL(page, ROOT);
    for (const target of targets(await Deno.readTextFile(from))) {
      if (/^[a-z]+:/.test(target)) continue;
      const { href, hash } = new URL(target, from);
      const path = href.slice(ROOT.href.length).replace(/#.*$/, "");
      const found = published.has(path) &&
        (hash === "" || anchors(await Deno.readTextFile(new URL(path, ROOT))).includes(hash.slice(1)));
      if (!found) broken.push(`${page}: ${target}`);
    }
  }
  assertEquals(broken, []);
});

Deno.test("the README has the commands by which everybody starts and tests the project", async () => {
  const readme = await Deno.readTextFile(new URL("README.md", ROOT));
  for (const command of ["npx --yes deno@2.9.6 run --allow-net mod.ts", "npx --yes deno@2.9.6 task test"]) {
    assert(readme.includes(`\`\`\`sh\n${command}\n\`\`\``), command);
  }
});

Deno.test("a user's own deno.json, as docs/running.md shows it, links a clone of the repository", async () => {
  const guide = await Deno.readTextFile(new URL("docs/running.md", ROOT));
  const shown = /```json\n([^]*?)```/.exec(guide)![1]!;
  const directory = await Deno.makeTempDir();
  try {
    const clone = fileURLToPath(ROOT).replaceAll("\\", "/").replace(/\/$/, "");
    await Deno.writeTextFile(`${directory}/deno.json`, shown.replaceAll("../webserver-dat", clone));
    await Deno.writeTextFile(
      `${directory}/show.ts`,
      `import { WebServer } from "@webserver-dat/server";
       import { hashPassword } from "@webserver-dat/server/auth";
       import { TouchDesigner } from "@webserver-dat/server/touchdesigner";
       await using server = new WebServer({ port: 0, localaddress: "127.0.0.1" });
       await server.start();
       const answer = await fetch(server.address!.url);
       console.log(await answer.text(), typeof hashPassword, typeof TouchDesigner);`,
    );
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-net", "show.ts"],
      cwd: directory,
      env: { NO_COLOR: "1" },
    }).output();
    const decoder = new TextDecoder();
    assertEquals(code, 0, decoder.decode(stderr));
    assertEquals(decoder.decode(stdout), "<b>TouchDesigner: </b>webserver1 function function\n");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("the callbacks file of a folder beside the clone is written and served by the README's commands", async () => {
  const readme = await Deno.readTextFile(new URL("README.md", ROOT));
  const [init, serve] = /```sh\n(.* init)\n(.* --callbacks .*)\n```/.exec(readme)!.slice(1).map((line) =>
    line.split(" ").slice(3)
  );
  const directory = await Deno.makeTempDir();
  const program = fileURLToPath(new URL("mod.ts", ROOT));
  const deno = (args: string[]) =>
    new Deno.Command(Deno.execPath(), {
      args: args.map((arg) => arg === "../webserver-dat/mod.ts" ? program : arg),
      cwd: directory,
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    });
  try {
    assertEquals((await deno(init!).output()).code, 0);
    const running = deno([...serve!, "--port", "0", "--localaddress", "127.0.0.1"]).spawn();
    const reader = running.stdout.pipeThrough(new TextDecoderStream()).getReader();
    try {
      let printed = "";
      while (!printed.includes("\n")) printed += (await reader.read()).value ?? "the program ended\n";
      const answer = await fetch(/http:\S+/.exec(printed)?.[0] ?? printed);
      assertEquals(await answer.text(), "<b>TouchDesigner: </b>webserver1");
    } finally {
      running.kill("SIGKILL");
      await reader.cancel();
      await running.status;
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
