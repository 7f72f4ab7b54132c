import assert from "node:assert/strict";
import { test } from "node:test";
import { readViewMessage } from "../src/chat/messages";
import { agentName, chosen, isCurrent, isPlain, usableInstead } from "../src/sessions/backends";

const builtin = { backend: "builtin", available: true, default: true };
const model = { backend: "model", model: "anthropic:one", available: true, default: false };
const codex = { backend: "acp", preset: "codex", available: false, reason: "not installed", default: false };
const gemini = { backend: "acp", preset: "gemini", available: true, default: false };
const all = [builtin, codex, model, gemini];

test("where nobody answers, those that could are offered, and where somebody does, nobody", () => {
  assert.deepEqual(usableInstead(all, undefined), [model, gemini]);
  assert.deepEqual(usableInstead(all, { backend: "builtin", name: "builtin" }), [model, gemini]);
  assert.deepEqual(usableInstead(all, { backend: "model", name: "model", model: "anthropic:one" }), []);
  assert.deepEqual(usableInstead([{ ...model, default: true }, { ...builtin, default: false }], undefined), []);
  assert.deepEqual(usableInstead([builtin, codex], undefined), []);
});

test("an agent is named and chosen by what tells it from others", () => {
  assert.deepEqual([model, gemini, builtin].map(agentName), ["anthropic:one", "gemini", "builtin"]);
  assert.deepEqual(chosen(model), { backend: "model", model: "anthropic:one" });
  assert.deepEqual(chosen(gemini), { backend: "acp", preset: "gemini" });
  assert.deepEqual(all.filter((each) => isCurrent(each, { backend: "acp", name: "gemini" })), [gemini]);
  assert.deepEqual(all.filter((each) => isCurrent(each, undefined)), [builtin]);
});

test("a slash command is no plain prompt", () => {
  assert.deepEqual(["/help", " \n/read a", "／帮助", "what is a / b?", "你好"].map(isPlain), [false, false, false, true, true]);
});

test("the page takes the offer without saying whose it is", () => {
  assert.deepEqual(readViewMessage({ type: "takeOffer" }), { type: "takeOffer" });
  assert.ok(readViewMessage({ type: "command", command: "kore.ui.agent" }));
});
