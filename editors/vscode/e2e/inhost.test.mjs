// Starts the editor with the extension from its sources' build and lets `inhost.cjs` run in its extension host.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Editor } from "./editor.mjs";
import { LONG, becomes } from "./steps.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const folder = join(process.env.KORE_E2E_DIR, "project");
const result = (process.env.KORE_E2E_RESULT = join(process.env.KORE_E2E_DIR, "result.json"));

let editor, model;

/** A model on this machine that asks for the symbols of a file, and is content with whatever it gets. */
async function startModel() {
  const server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const { messages, tools } = JSON.parse(Buffer.concat(parts));
    const wanted = { name: "document_symbols", arguments: JSON.stringify({ path: "look.css" }) };
    const asks = tools?.length && !messages.some(({ role }) => role === "tool");
    const delta = { role: "assistant", ...(asks ? { tool_calls: [{ index: 0, id: "c1", type: "function", function: wanted }] } : { content: "bridge" }) };
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const [each, reason] of [[delta, null], [{}, asks ? "tool_calls" : "stop"]]) {
      const choices = [{ index: 0, delta: each, finish_reason: reason }];
      response.write(`data: ${JSON.stringify({ id: "1", object: "chat.completion.chunk", created: 1, model: "curious", choices })}\n\n`);
    }
    response.end("data: [DONE]\n\n");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

before(async () => {
  mkdirSync(folder, { recursive: true });
  model = await startModel();
  const agent = { backend: "builtin", model: "curious", baseUrl: `http://127.0.0.1:${model.address().port}/v1` };
  editor = await Editor.start("editor", { settings: { "kore.agent": agent } });
});
after(async () => {
  await editor?.close();
  model?.close();
});

test("the extension holds in its host", { timeout: 4 * LONG }, async (context) => {
  const window = await editor.open(folder, { extension: dirname(here), tests: join(here, "inhost.cjs") });
  await becomes(() => existsSync(result), true);
  await window.shot("inhost");
  const { activationMs, serverMs, ...steps } = JSON.parse(readFileSync(result, "utf8"));
  context.diagnostic(`activated in ${activationMs} ms, the server answered after ${serverMs} ms`);
  for (const [name, outcome] of Object.entries(steps)) assert.equal(outcome, "ok", name);
  assert.equal(Object.keys(steps).length, 6);
});
