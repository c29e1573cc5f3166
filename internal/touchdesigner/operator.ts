/** Operators of TouchDesigner, as a callback uses them. */

import type { JSONValue } from "../../callbacks.ts";

/** Identifies a row or a column of a table: its number, from 0, or the text in its first cell. */
export type NameOrIndex = string | number;

/** A value for a cell; TouchDesigner keeps it as text. */
export type CellValue = string | number | boolean;

/** The parts of a table that `clear()` keeps. */
export interface ClearOptions {
  /** The number of rows and columns; the cells become empty. */
  readonly keepSize?: boolean;
  /** The first row. */
  readonly keepFirstRow?: boolean;
  /** The first column. */
  readonly keepFirstCol?: boolean;
}

/**
 * The parameters of an operator, by name; custom ones start with a capital letter. Each is a {@linkcode Par}, and may be assigned to.
 *
 * The type is `any`, since TypeScript has one type for reading and writing an index signature.
 */
export interface Pars {
  /** A parameter by its name. */
  // deno-lint-ignore no-explicit-any -- read as a Par, written as a value
  [name: string]: any;
}

/** The files that are embedded in a component. */
export interface VFS {
  /**
   * Adds a file, which a Movie File In TOP, for instance, can then read.
   *
   * @param bytes The contents of the file
   * @param name Its name
   * @returns Its path, such as `vfs:/project1/base1:image.jpg`
   */
  addByteArray(bytes: Uint8Array<ArrayBuffer>, name: string): Promise<string>;
}

/** Carries out changes and operations. */
export interface Sender {
  /**
   * Sets a value.
   *
   * @param target The path, the verb, and the part of the operator
   */
  set(target: Target, value: unknown): void;
  /** Does something, or asks for something. `label` is the call as the user wrote it. */
  ask<Value>(target: Target, args: readonly unknown[], label: string): Promise<Value>;
}

/** What to set or do: the path, the verb, and the part of the operator. */
export type Target = readonly [path: string, verb: string, ...ids: NameOrIndex[]];

/** The longest path or name, in characters. */
const MAX_NAME = 1000;
const PATH = /^\/?\w+(?:\/\w+)*$/;

const quoted = (text: NameOrIndex) => JSON.stringify(text);

/** A target as the user wrote it. */
export function labelOf([path, verb, ...ids]: Target): string {
  const operator = `op(${quoted(path)})`;
  switch (verb) {
    case "par":
      return `${operator}.par.${ids[0]}`;
    case "menuIndex":
      return `${operator}.par.${ids[0]}.menuIndex`;
    case "cell":
      return `${operator}.cell(${ids.map(quoted).join(", ")}).val`;
    case "store":
      return `${operator}.store(${quoted(ids[0]!)})`;
    default:
      return `${operator}.${verb}`;
  }
}

/**
 * A parameter. `op("lights").par.Value = 0.5` is short for `op("lights").par.Value.val = 0.5`.
 *
 * A value that you set is sent with the next frame (of several values, only the last one), and again whenever TouchDesigner connects. A
 * parameter in expression, export or bind mode is not changed, and a menu entry that does not exist is not set; a warning says so.
 */
export class Par {
  readonly #sender: Sender;
  readonly #path: string;
  readonly #name: string;

  /** @ignore */
  constructor(sender: Sender, path: string, name: string) {
    this.#sender = sender;
    this.#path = path;
    this.#name = name;
    Object.freeze(this);
  }

  /**
   * The value in constant mode. Setting it takes effect at once here; reading it asks TouchDesigner.
   *
   * @throws {TypeError} If it is set to a value that JSON cannot represent
   */
  // deno-lint-ignore no-explicit-any -- see Par
  get val(): Promise<any> {
    return this.#ask("getVal", ".val");
  }

  /** Sets the value in constant mode. */
  set val(value: JSONValue) {
    this.#sender.set([this.#path, "par", this.#name], value);
  }

  /** The number of the menu entry. Setting it takes effect at once here; reading it asks TouchDesigner. */
  get menuIndex(): Promise<number> {
    return this.#ask("getMenuIndex", ".menuIndex");
  }

  /** Sets the number of the menu entry. */
  set menuIndex(index: number) {
    this.#sender.set([this.#path, "menuIndex", this.#name], index);
  }

  /** Reads the value, whatever the mode. An operator is returned as its path. */
  // deno-lint-ignore no-explicit-any -- see Par
  eval(): Promise<any> {
    return this.#ask("eval", ".eval()");
  }

  /** Presses it, if it is a pulse parameter. */
  pulse(): Promise<void> {
    return this.#ask("pulse", ".pulse()");
  }

  #ask<Value>(verb: string, label: string): Promise<Value> {
    return this.#sender.ask(
      [this.#path, verb, this.#name],
      [],
      `op(${quoted(this.#path)}).par.${this.#name}${label}`,
    );
  }
}

/** The parameters of an operator, made when they are read. */
function parsOf(sender: Sender, path: string): Pars {
  const check = (name: string | symbol): string => {
    if (typeof name === "string" && /^\w{1,200}$/.test(name)) return name;
    throw new TypeError(`Cannot use the parameter ${String(name)}: a name has letters, digits and _`);
  };
  return new Proxy(Object.create(null), {
    get(_target, name) {
      // Asked for when a value is awaited or shown; no parameter has such a name.
      if (typeof name === "symbol" || name === "then" || name === "toJSON") return undefined;
      return new Par(sender, path, check(name));
    },
    set(_target, name, value) {
      sender.set([path, "par", check(name)], value);
      return true;
    },
    deleteProperty: () => false,
    defineProperty: () => false,
  });
}

/** A cell of a table. */
export class Cell {
  readonly #sender: Sender;
  readonly #place: readonly [path: string, row: NameOrIndex, col: NameOrIndex];

  /** @ignore */
  constructor(sender: Sender, path: string, row: NameOrIndex, col: NameOrIndex) {
    this.#sender = sender;
    this.#place = [path, row, col];
    Object.freeze(this);
  }

  /** Its text. Setting it takes effect at once here; reading it asks TouchDesigner. */
  get val(): Promise<string> {
    const [path, row, col] = this.#place;
    return this.#sender.ask([path, "getCell", row, col], [], labelOf([path, "cell", row, col]));
  }

  /** Sets its text. */
  set val(value: CellValue) {
    const [path, row, col] = this.#place;
    this.#sender.set([path, "cell", row, col], value);
  }
}

/**
 * An operator. Its members have the names that they have in TouchDesigner.
 *
 * - **Values** (`par`, `text`, `cell(...).val`, `store`) are set at once here. They are sent with the next frame (of several values for one
 *   target, only the last one), and all of them again whenever TouchDesigner connects. If TouchDesigner cannot set one, you get a warning.
 * - **Operations**, which return a promise, keep their order, also relative to the values around them. While TouchDesigner is not
 *   connected, they reject. If you await one, a failure throws with TouchDesigner's message; if not, it is a warning with your line.
 */
export class OP {
  readonly #sender: Sender;
  /** The path that was passed to `op()`. */
  readonly path: string;

  /** @ignore */
  constructor(sender: Sender, path: string) {
    this.#sender = sender;
    this.path = path;
    // Makes an assignment to an unknown name throw.
    Object.freeze(this);
  }

  /** Its parameters. */
  get par(): Pars {
    return parsOf(this.#sender, this.path);
  }

  /** The text of a DAT; that of a table has tabs and line ends. Setting it takes effect at once here; reading it asks TouchDesigner. */
  get text(): Promise<string> {
    return this.#sender.ask([this.path, "getText"], [], labelOf([this.path, "text"]));
  }

  /** Sets the text of a DAT. */
  set text(text: string) {
    if (typeof text !== "string") throw new TypeError(`Cannot set ${labelOf([this.path, "text"])}: it is not a string`);
    this.#sender.set([this.path, "text"], text);
  }

  /** A cell of a table: `op("scores").cell(1, "name").val = "Ada"`. The cell must exist. */
  cell(row: NameOrIndex, col: NameOrIndex): Cell {
    for (const index of [row, col]) checkIndex(index);
    return new Cell(this.#sender, this.path, row, col);
  }

  /** All cells of a table, 100,000 at most. */
  rows(): Promise<string[][]> {
    return this.#ask("rows", []);
  }

  /** Empties a table. */
  clear(keep: ClearOptions = {}): Promise<void> {
    return this.#ask("clear", [{ ...keep }]);
  }

  /** Adds a row at the end of a table, or after another one; returns its number. */
  appendRow(cells: readonly CellValue[], after?: NameOrIndex): Promise<number> {
    return this.#ask("appendRow", [checkCells(cells), ...optional(after)]);
  }

  /** Adds a column at the end of a table, or after another one; returns its number. */
  appendCol(cells: readonly CellValue[], after?: NameOrIndex): Promise<number> {
    return this.#ask("appendCol", [checkCells(cells), ...optional(after)]);
  }

  /** Adds a row before another one; returns its number. */
  insertRow(cells: readonly CellValue[], before: NameOrIndex): Promise<number> {
    return this.#ask("insertRow", [checkCells(cells), checkIndex(before)]);
  }

  /** Replaces the cells of a row; returns its number. */
  replaceRow(row: NameOrIndex, cells: readonly CellValue[]): Promise<number> {
    return this.#ask("replaceRow", [checkIndex(row), checkCells(cells)]);
  }

  /** Removes a row of a table. */
  deleteRow(row: NameOrIndex): Promise<void> {
    return this.#ask("deleteRow", [checkIndex(row)]);
  }

  /** Keeps a value in the operator's storage. Bytes are not sent again. */
  store(key: string, value: JSONValue | Uint8Array<ArrayBuffer>): void {
    checkName(key);
    if (!(value instanceof Uint8Array)) return this.#sender.set([this.path, "store", key], value);
    this.#sender.ask([this.path, "store", key], [value], labelOf([this.path, "store", key]));
  }

  /** Reads a value of the operator's own storage; rejects if it does not exist and no default is given. */
  // deno-lint-ignore no-explicit-any -- see OP
  fetch(key: string, defaultValue?: JSONValue): Promise<any> {
    return this.#ask("fetch", defaultValue === undefined ? [checkName(key)] : [checkName(key), defaultValue]);
  }

  /**
   * The picture of a TOP, as a file of this kind.
   *
   * @param filetype Such as `".jpg"` or `".png"`
   * @param quality 0 to 1
   */
  saveByteArray(filetype: string, quality = 1): Promise<Uint8Array<ArrayBuffer>> {
    return this.#ask("saveByteArray", [checkName(filetype), quality]);
  }

  /** Clicks a panel: a button without arguments, others at a place. */
  click(...args: (number | string)[]): Promise<void> {
    return this.#ask("click", args);
  }

  /**
   * Calls a promoted method of an extension, whose name starts with a capital letter, and returns its result.
   * One of the arguments may be bytes.
   */
  // deno-lint-ignore no-explicit-any -- see OP
  call(method: string, ...args: (JSONValue | Uint8Array<ArrayBuffer>)[]): Promise<any> {
    return this.#ask("call", [checkName(method), ...args], `call(${quoted(method)})`);
  }

  /** The files that are embedded in a component. */
  get vfs(): VFS {
    return {
      addByteArray: (bytes, name) => this.#ask("addByteArray", [bytes, checkName(name)], "vfs.addByteArray()"),
    };
  }

  #ask<Value>(verb: string, args: readonly unknown[], label = `${verb}()`): Promise<Value> {
    return this.#sender.ask([this.path, verb], args, `op(${quoted(this.path)}).${label}`);
  }
}

function checkName(name: string): string {
  if (typeof name === "string" && name.length <= MAX_NAME) return name;
  throw new TypeError(
    `Cannot use ${Deno.inspect(name, { strAbbreviateSize: 80 })}: a string of up to ${MAX_NAME} characters is needed`,
  );
}

function checkIndex(index: NameOrIndex): NameOrIndex {
  if (typeof index === "number" ? Number.isSafeInteger(index) : typeof index === "string" && index.length <= MAX_NAME) {
    return index;
  }
  throw new TypeError(
    `Cannot find a row or column by ${Deno.inspect(index, { strAbbreviateSize: 80 })}: use a whole number or a name`,
  );
}

const optional = (index: NameOrIndex | undefined) => index === undefined ? [] : [checkIndex(index)];

function checkCells(cells: readonly CellValue[]): readonly CellValue[] {
  if (Array.isArray(cells)) return cells;
  throw new TypeError(`Cannot take ${Deno.inspect(cells, { strAbbreviateSize: 80 })} as cells: a list is needed`);
}

/** The operator of a path. */
export function operator(sender: Sender, path: string): OP {
  if (typeof path !== "string" || path.length > MAX_NAME || !PATH.test(path)) {
    throw new TypeError(
      `Cannot use the path ${
        Deno.inspect(path, { strAbbreviateSize: 80 })
      }: a path has names of letters, digits and _, ` +
        "with / between them",
    );
  }
  return new OP(sender, path);
}
