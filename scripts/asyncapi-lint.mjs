// Check an AsyncAPI document with the official parser: `node scripts/asyncapi-lint.mjs MODULES DOCUMENT`.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const [modules, path] = process.argv.slice(2);
const { Parser } = createRequire(resolve(modules, "package.json"))("@asyncapi/parser");
const { document, diagnostics } = await new Parser().parse(readFileSync(path, "utf8"), { source: path });
const KINDS = ["error", "warning", "info", "hint"];
const faults = diagnostics.filter(({ severity, code }) => severity <= 1 || code !== "asyncapi-latest-version");
for (const { severity, code, message, path: place } of faults) {
  console.error(`${KINDS[severity]} ${place.join(".")}: ${message} (${code})`);
}
if (!document || faults.length) process.exit(1);
console.log(`${path}: AsyncAPI ${document.version()}, ${document.allMessages().length} messages, no faults`);
