/**
 * What guessing passwords costs all other clients: the 99th-percentile latency of a light load of other requests while eight clients guess
 * passwords against `verifyBasic` without pause, as a ratio to the same load alone.
 *
 * The server, the guessing clients and the others run in separate processes. The two loads are measured in turn, round after
 * round, so that noise of the machine meets both alike; a latency is the median over the rounds, the ratio the median of
 * the ratios within a round. `--json` prints for machines, `--rounds N` and `--seconds N` change the length.
 */

import { parseArgs } from "node:util";
import { challenge, hashPassword, verifyBasic } from "../auth.ts";
import { WebServer } from "../mod.ts";
import { deno } from "../tests/support/deno.ts";
import type { Program } from "../tests/support/program.ts";
import { median, quantile } from "./statistics.ts";

const GUESSERS = 8;
/** Milliseconds between two requests of the light load. */
const PAUSE = 5;
const TARGET = 5;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);

/** The parts. Each runs in a separate process, gets its task by argument, and prints one line when it is ready or done. */
const parts: Record<string, (...args: string[]) => Promise<void>> = {
  /** A page for all at /, one for those with a password at /panel. */
  async server() {
    const users = { operator: await hashPassword("right") };
    const server = new WebServer({
      port: 0,
      localaddress: "127.0.0.1",
      callbacks: {
        onHTTPRequest(_webServer, request, response) {
          response.statusCode = 200;
          return request.uri === "/panel" ? guarded() : response;
          async function guarded() {
            return await verifyBasic(request["Authorization"], users) ? response : challenge(response, "panel");
          }
        },
      },
    });
    await server.start();
    console.log(server.address!.url);
  },

  /** Guesses, a new password each time, until killed. */
  async guess(url) {
    let guesses = 0;
    let answers = 0;
    const one = async () => {
      while (true) {
        const headers = { authorization: `Basic ${btoa(`operator:${guesses++}`)}` };
        const answer = await fetch(new URL("panel", url), { headers });
        await answer.body?.cancel();
        if (answer.status !== 401) throw new Error(`A guess was answered ${answer.status}`);
        if (++answers === 1) console.log("guessing");
      }
    };
    await Promise.all(Array.from({ length: GUESSERS }, one));
  },

  /** Asks for the open page every few milliseconds for some seconds; prints the 99th percentile in milliseconds. */
  async ask(url) {
    const latencies: number[] = [];
    const pending: Promise<void>[] = [];
    const one = async () => {
      const start = performance.now();
      const answer = await fetch(url!);
      await answer.arrayBuffer();
      latencies.push(performance.now() - start);
    };
    const count = Math.round(seconds * 1_000 / PAUSE);
    for (let index = 0; index < 10; index++) await one();
    latencies.length = 0;
    for (let index = 0; index < count; index++) {
      // A load that does not wait for answers, so that slow ones do not thin it out.
      pending.push(one());
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
    await Promise.all(pending);
    console.log(quantile(latencies, 0.99));
  },
};

/** Runs a part until it has printed its line. */
async function run(part: string, ...args: string[]): Promise<Program> {
  const program = deno("run", ["--allow-net", import.meta.filename!, `--seconds=${seconds}`, part, ...args], {
    stdin: "null",
  });
  try {
    await program.printed("\n");
    return program;
  } catch (error) {
    await program.stop("SIGKILL");
    throw error;
  }
}

/** Milliseconds. */
async function latency(url: string): Promise<number> {
  await using asked = await run("ask", url);
  return Number(asked.firstLine);
}

async function measure() {
  await using server = await run("server");
  const url = server.firstLine;
  const samples: { alone: number; guessed: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    const alone = await latency(url);
    await using _guessers = await run("guess", url);
    samples.push({ alone, guessed: await latency(url) });
  }
  const of = (figure: (sample: (typeof samples)[number]) => number) => Number(median(samples.map(figure)).toFixed(2));
  return {
    target: TARGET,
    /** Milliseconds at the 99th percentile. */
    alone: of(({ alone }) => alone),
    guessed: of(({ guessed }) => guessed),
    ratio: of(({ alone, guessed }) => guessed / alone),
    ratios: samples.map(({ alone, guessed }) => Number((guessed / alone).toFixed(2))),
  };
}

const [part, ...args] = positionals;
if (part !== undefined) {
  await parts[part]!(...args);
} else {
  const result = await measure();
  if (values.json) console.log(JSON.stringify(result));
  else {
    console.log(`99th percentile alone ${result.alone} ms, with ${GUESSERS} clients guessing ${result.guessed} ms:`);
    console.log(`${result.ratio} times (target: under ${TARGET}; by round: ${result.ratios.join(", ")})`);
  }
}
