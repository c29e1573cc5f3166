/** A link, and a stand-in for TouchDesigner that is connected to it over a real socket. */

import { existsSync } from "node:fs";
import { Program } from "../support/program.ts";
import { TouchDesigner, type TouchDesignerOptions } from "../../touchdesigner.ts";

/** Debian's Python, if it is installed: the one of a version manager takes a second to start. */
const PYTHON = existsSync("/usr/bin/python3") ? "/usr/bin/python3" : "python3";
/** How many times as fast delays go in the stand-in. */
const SPEED = "20";

/** The stand-in, in a separate process. */
export class StandIn extends Program {
  #id = 0;

  constructor() {
    super(PYTHON, ["-S", new URL("stand_in.py", import.meta.url).pathname, SPEED]);
  }

  /** Runs statements. */
  async do(statements: string): Promise<void> {
    await this.#ask({ do: statements });
  }

  /** Evaluates an expression. */
  // deno-lint-ignore no-explicit-any -- what JSON holds
  get(expression: string): Promise<any> {
    return this.#ask({ get: expression });
  }

  /** Resolves when an expression is true. */
  async until(expression: string): Promise<void> {
    await this.#ask({ until: expression });
  }

  /** Makes the DATs of the link by the script that the link's page offers, and turns Active on. */
  async connect(url: string): Promise<void> {
    const script = await (await fetch(new URL("setup.py" + new URL(url).search, url))).text();
    await this.do(`exec(${JSON.stringify(script)}, dict(names_of(None)))`);
  }

  // deno-lint-ignore no-explicit-any -- what JSON holds
  async #ask(command: Record<string, string>): Promise<any> {
    const id = ++this.#id;
    const from = this.lines.length;
    await this.write(JSON.stringify({ id, ...command }));
    const [line] = await this.line(new RegExp(`^{"id": ${id}, .*`), from);
    const { value, error } = JSON.parse(line);
    if (error !== undefined) throw new Error(`${JSON.stringify(command)}: ${error}`);
    return value;
  }
}

/** Operators that the tests use. */
export const WORLD = `
lights = COMP(project1, 'lights')
lights.add('Value', 'Float', 0.0)
lights.add('Count', 'Int', 0)
lights.add('Label', 'Str', '')
lights.add('On', 'Toggle', False)
lights.add('Flash', 'Pulse')
lights.add('Mode', 'Menu', 'calm', ['calm', 'wild', 'off'])
lights.add('Free', 'StrMenu', 'a', ['a', 'b'])
lights.add('Driven', 'Float', 0.0)
lights.par.Driven.mode = ParMode.EXPRESSION
lights.par.Driven.expr = '1 + 1'
page = textDAT(project1, 'page')
table = tableDAT(project1, 'log')
out = TOP(project1, 'out')
go = buttonCOMP(project1, 'go')
class Extension:
    def Add(self, *numbers):
        return sum(numbers)
    def Size(self, contents):
        return [type(contents).__name__, len(contents), contents[0]]
    def Picture(self):
        return b'\\x00\\x01\\n\\x02'
    def Fail(self):
        raise ValueError('not today')
    def Where(self):
        return op('/project1/log')
    def Odd(self):
        return float('nan')
lights.extension = Extension()
`;

/** A link and a stand-in that are connected. */
export interface Linked extends AsyncDisposable {
  readonly link: TouchDesigner;
  readonly op: TouchDesigner["op"];
  readonly td: StandIn;
  readonly url: string;
  readonly warnings: string[];
  /** Resolves with the next warning. */
  warned(): Promise<string>;
}

/** A link on a free port, with its warnings recorded. */
export async function linkAlone(options: TouchDesignerOptions = {}): Promise<Omit<Linked, "td">> {
  const warnings: string[] = [];
  let taken = 0;
  let changed = Promise.withResolvers<void>();
  const link = new TouchDesigner({
    port: 0,
    // Machines that are busy are slow, which no test is about.
    timeout: 60,
    onWarning(message) {
      warnings.push(message);
      changed.resolve();
      changed = Promise.withResolvers();
    },
    ...options,
  });
  await link.listening;
  const { port } = link.address!;
  return {
    link,
    op: link.op,
    url: `http://127.0.0.1:${port}/${options.token === undefined ? "" : `?token=${options.token}`}`,
    warnings,
    async warned() {
      while (warnings.length === taken) await changed.promise;
      return warnings[taken++]!;
    },
    [Symbol.asyncDispose]: () => link.close(),
  };
}

/** A link and a stand-in that is connected to it. */
export async function linked(options: TouchDesignerOptions = {}, world = WORLD): Promise<Linked> {
  const stack = new AsyncDisposableStack();
  try {
    const connected = Promise.withResolvers<void>();
    const alone = stack.use(
      await linkAlone({
        ...options,
        onConnect(client) {
          connected.resolve();
          return options.onConnect?.(client);
        },
      }),
    );
    const td = stack.use(new StandIn());
    await td.do(world);
    await td.connect(alone.url);
    await connected.promise;
    // It has received the welcome, which is a message too.
    await td.until("project1.op('deno_websocket').fetch('deno_limit', search=False) is not None");
    return {
      ...alone,
      td,
      async [Symbol.asyncDispose]() {
        try {
          // An exception in TouchDesigner's callbacks is a fault of the link, whatever was sent.
          const failures = await td.get("failures");
          if (failures.length > 0) throw new Error(failures.join("\n"));
        } finally {
          await stack.disposeAsync();
        }
      },
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}
