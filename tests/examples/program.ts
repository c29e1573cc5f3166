export { Clients, type Received } from "./clients.ts";
export { freePort } from "../support/free_port.ts";
import { deno as denoOf } from "../support/deno.ts";
import { example as exampleOf, flagsOf } from "../support/example.ts";
import { Program as Base } from "../support/program.ts";
export { type Example as Served } from "../support/example.ts";
export { flagsOf };
export class Program extends Base {
  constructor(command: string, args: string[], env: Record<string, string> = {}) {
    super(command, args, { env, cwd: new URL("../../", import.meta.url) });
  }
}
export const deno = (command: "run" | "serve", args: string[], env?: Record<string, string>) =>
  denoOf(command, args.filter((arg) => !/^--(config|lock)=/.test(arg)), { env: env ?? {} });
export const served = (file: string, env: Record<string, string>, flags: string[] = []) =>
  exampleOf(file, { env, flags });
