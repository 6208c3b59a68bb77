// What the official AsyncAPI parser says of a document on standard input: its diagnostics as JSON, and what it found.
import { readFileSync } from "node:fs";
import asyncapi from "@asyncapi/parser";

const { document, diagnostics } = await new asyncapi.Parser().parse(readFileSync(0, "utf8"));
const names = (found) => found?.all().map((one) => one.id()) ?? [];
console.log(
  JSON.stringify({
    diagnostics: diagnostics.map(({ severity, code, message, path }) => ({ severity, code, message, path })),
    channels: names(document?.channels()),
    messages: names(document?.components().messages()),
    operations: names(document?.operations()),
  }),
);
