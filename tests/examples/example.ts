import { example as exampleOf } from "../support/example.ts";
export const example = (file: string, flags: string[] = [], folder?: string | URL) =>
  exampleOf(file, { flags, ...(folder && { folder }) });
