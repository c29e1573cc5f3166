/** The rooms of the core, and the doors between them: docs in CONTRIBUTING.md. */

import { assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url);

interface Import {
  readonly from: string;
  readonly to: string;
  readonly kind: "type" | "value" | "on demand";
}

/** The modules of the core, by their path in the repository. */
function modules(folder = "internal"): string[] {
  return [...Deno.readDirSync(new URL(folder, ROOT))].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isDirectory ? modules(path) : name.endsWith(".ts") ? [path] : [];
  });
}

const SOURCES = new Map(
  [...modules(), "mod.ts", "server.ts", "callbacks.ts", "auth.ts", "touchdesigner.ts"].map((path) =>
    [path, Deno.readTextFileSync(new URL(path, ROOT))] as const
  ),
);

/** The code without comments, and without what a template or a page has in it. */
function code(path: string): string {
  return SOURCES.get(path)!.replace(/\/\*[^]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

const IMPORTS: Import[] = [...SOURCES.keys()].flatMap((from) =>
  [...code(from).matchAll(/(?:^(?:import|export)( type)?[^;"`]*?\bfrom |\bimport\()"(\.[^"]+)"/gm)].map((
    [text, type, specifier],
  ) => ({
    from,
    to: new URL(specifier!, new URL(from, ROOT)).href.slice(ROOT.href.length),
    kind: text.startsWith("import(") ? "on demand" : type ? "type" : "value",
  }))
);

/** The room of a module: its folder in `internal/`, or "front" for what users import. */
function roomOf(path: string): string {
  return /^internal\/(\w+)\//.exec(path)?.[1] ?? (path.startsWith("internal/") ? path : "front");
}

/** Imports of these kinds that lead out of a room, to others than these. */
function strays(room: string, allowed: string[], ...kinds: Import["kind"][]): string[] {
  return IMPORTS
    .filter(({ from, to, kind }) =>
      roomOf(from) === room && kinds.includes(kind) && ![room, ...allowed].includes(roomOf(to))
    )
    .map(({ from, to }) => `${from} imports ${to}`);
}

Deno.test("the imports of the core are found", () => {
  assertEquals(IMPORTS.some(({ from, to }) => from === "server.ts" && to === "internal/operator/lifecycle.ts"), true);
  assertEquals(
    new Set(IMPORTS.map(({ from }) => roomOf(from))).isSupersetOf(new Set(["engine", "operator", "cli"])),
    true,
  );
});

Deno.test("the engine imports nothing from other rooms", () => {
  assertEquals(strays("engine", [], "type", "value", "on demand"), []);
});

Deno.test("the engine uses no word of TouchDesigner", () => {
  const words =
    /touchdesigner|\bcooks?\b|operator|\bDAT\b|\bCHOP\b|\bon(?:HTTP|WebSocket|Server)[A-Z]\w*|dictionary|webServer/gi;
  const used = [...SOURCES].filter(([path]) => roomOf(path) === "engine")
    .flatMap(([path, text]) => [...text.matchAll(words)].map(([word]) => `${path}: ${word}`));
  assertEquals(used, []);
});

Deno.test("the operator stands on the engine, and loads files only on demand", () => {
  assertEquals(strays("operator", ["engine"], "value"), []);
  assertEquals(strays("operator", ["engine", "files"], "on demand"), []);
  assertEquals(strays("operator", ["engine", "files", "front"], "type"), []);
});

Deno.test("files and the command line are loaded by nobody at the start", () => {
  const loaded = IMPORTS.filter(({ from, to, kind }) =>
    kind === "value" && ["files", "cli"].includes(roomOf(to)) && !["files", "cli"].includes(roomOf(from))
  );
  assertEquals(loaded, []);
});

Deno.test("types of different rooms make no circle", () => {
  const rooms = ["engine", "operator", "files", "cli"];
  const back = IMPORTS.filter(({ from, to }) =>
    rooms.includes(roomOf(from)) && rooms.indexOf(roomOf(to)) > rooms.indexOf(roomOf(from))
  ).filter(({ kind }) => kind !== "on demand");
  assertEquals(back, []);
});

Deno.test("only operator/cooks.ts calls a callback", () => {
  const call = /callbacks(?:\.on[A-Z]\w*|\[[^\]]*\])\??\.?\(|\.call\(callbacks/;
  const callers = [...SOURCES.keys()].filter((path) => path.startsWith("internal/") && call.test(code(path)));
  assertEquals(callers, ["internal/operator/cooks.ts"]);
});

Deno.test("only engine/deno.ts reads private objects of Deno", () => {
  const peek = /getOwnPropertySymbols|getBuiltinModule/;
  const peekers = [...SOURCES.keys()].filter((path) =>
    peek.test(code(path)) && !path.startsWith("internal/engine/deno")
  );
  assertEquals(peekers, []);
});
