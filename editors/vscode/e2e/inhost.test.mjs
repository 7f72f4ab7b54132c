// Starts the editor with the extension from its sources' build and lets `inhost.cjs` run in its extension host.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Editor } from "./editor.mjs";
import { LONG, becomes } from "./steps.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const folder = join(process.env.KORE_E2E_DIR, "project");
const result = (process.env.KORE_E2E_RESULT = join(process.env.KORE_E2E_DIR, "result.json"));

let editor;

before(async () => {
  mkdirSync(folder, { recursive: true });
  editor = await Editor.start("editor");
});
after(() => editor?.close());

test("the extension holds in its host", { timeout: 4 * LONG }, async (context) => {
  const window = await editor.open(folder, { extension: dirname(here), tests: join(here, "inhost.cjs") });
  await becomes(() => existsSync(result), true);
  await window.shot("inhost");
  const { activationMs, serverMs, ...steps } = JSON.parse(readFileSync(result, "utf8"));
  context.diagnostic(`activated in ${activationMs} ms, the server answered after ${serverMs} ms`);
  for (const [name, outcome] of Object.entries(steps)) assert.equal(outcome, "ok", name);
  assert.equal(Object.keys(steps).length, 5);
});
