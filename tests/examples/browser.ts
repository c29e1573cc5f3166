/** Chromium for the tests of pages: one for each test, closed with all that it started. */

import { assertEquals } from "@std/assert";
import { chromium } from "npm:playwright-core@1.65.1";
import { isFile, type Need, testWith } from "../programs.ts";
import type { Browser, BrowserContextOptions, Page } from "npm:playwright-core@1.65.1";

/** A phone, and a desktop. */
export const PHONE = { width: 390, height: 844 };
export const DESKTOP = { width: 1280, height: 800 };

/** A visited page, and what went wrong in it. */
export interface Visit {
  readonly page: Page;
  /** Messages of the console that are errors, and uncaught exceptions. */
  readonly errors: string[];
  /** Addresses of other hosts that the page asked for. */
  readonly strangers: string[];
}

/** A running Chromium. */
export interface Chromium extends AsyncDisposable {
  /** Opens a page in a new profile, without the cookies and the cache of others. */
  visit(url: string, options?: BrowserContextOptions): Promise<Visit>;
}

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", "/snap/bin/chromium"];

/** Debian's, or the one that the variable CHROMIUM names. */
const executablePath = [Deno.env.get("CHROMIUM") ?? "", ...PATHS].find(isFile);

const CHROMIUM: Need = { name: "Chromium", isThere: executablePath !== undefined };

/** Defines a test of a page. */
export function pageTest(name: string, body: (chromium: Chromium) => Promise<void>): void {
  testWith([CHROMIUM], name, async () => {
    await using browser = await launch();
    await body(browser);
  });
}

async function launch(): Promise<Chromium> {
  const browser: Browser = await chromium.launch({
    executablePath: executablePath!,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  return {
    async visit(url, options = {}) {
      const context = await browser.newContext({ viewport: PHONE, ...options });
      context.setDefaultTimeout(120_000);
      const page = await context.newPage();
      const visit: Visit = { page, errors: [], strangers: [] };
      page.on("console", (message) => {
        if (message.type() === "error") visit.errors.push(message.text());
      });
      page.on("pageerror", (error) => visit.errors.push(String(error)));
      const { host } = new URL(url);
      const notice = (address: string) => {
        const { protocol, host: asked } = new URL(address);
        if (/^(?:http|ws)s?:$/.test(protocol) && asked !== host) visit.strangers.push(address);
      };
      page.on("request", (request) => notice(request.url()));
      page.on("websocket", (socket) => notice(socket.url()));
      await page.goto(url);
      return visit;
    },
    async [Symbol.asyncDispose]() {
      await browser.close();
    },
  };
}

/**
 * Resolves when an expression is true in the page. (Playwright's own `waitForFunction` needs `unsafe-eval` of a page's policy
 * when it looks again.)
 */
export async function until(page: Page, expression: string): Promise<void> {
  const deadline = Date.now() + 120_000;
  while (!await page.evaluate(expression)) {
    if (Date.now() > deadline) throw new Error(`It did not come true in the page: ${expression}`);
    await page.evaluate("new Promise(requestAnimationFrame).then(() => {})");
  }
}

/** Whether the page is wider than its screen. */
export function overflows(page: Page): Promise<boolean> {
  return page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth");
}

const CONTROLS = "button, input:not([type=hidden]), select, textarea, a[href]";

/** The controls of the page that no screen reader has a name for, as their HTML. */
export function unlabelled(page: Page): Promise<string[]> {
  return page.evaluate(`[...document.querySelectorAll("${CONTROLS}")]
    .filter((control) => ![
      control.getAttribute("aria-label"),
      ...(control.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent),
      ...[...control.labels ?? []].map((label) => label.textContent),
      ...[...control.querySelectorAll("img")].map((image) => image.alt),
      /^(?:BUTTON|A)$/.test(control.tagName) ? control.textContent : "",
    ].some((name) => name?.trim()))
    .map((control) => control.outerHTML)`);
}

/** The controls in sight that are too low for a thumb, as their HTML: under 44 pixels (WCAG 2.2, 2.5.5). */
export function tooLow(page: Page): Promise<string[]> {
  return page.evaluate(`[...document.querySelectorAll("button, input, select, textarea")]
    .filter((control) => control.checkVisibility() && control.offsetHeight > 1 && control.offsetHeight < 44)
    .map((control) => control.outerHTML)`);
}

/**
 * Looks at a page on a phone and on a desktop, light and dark: it fits its screen, follows the colour scheme, names its
 * controls, asks no other host for anything, and has no errors.
 *
 * @param ready A selector that is there when the page is
 */
export async function looksRight(
  chromium: Chromium,
  url: string,
  ready: string,
  options: BrowserContextOptions = {},
): Promise<void> {
  for (const viewport of [PHONE, DESKTOP]) {
    for (const colorScheme of ["light", "dark"] as const) {
      const { page, errors, strangers } = await chromium.visit(url, { ...options, viewport, colorScheme });
      await page.waitForSelector(ready);
      const seen = `${viewport.width} pixels wide, ${colorScheme}`;
      assertEquals(await overflows(page), false, seen);
      assertEquals(await unlabelled(page), [], seen);
      if (viewport === PHONE) assertEquals(await tooLow(page), [], seen);
      const colour = await page.evaluate("getComputedStyle(document.body).color") as string;
      assertEquals(Number(/\d+/.exec(colour)) > 128, colorScheme === "dark", `${seen}: ${colour}`);
      assertEquals({ errors, strangers }, { errors: [], strangers: [] }, seen);
      await page.context().close();
    }
  }
}
