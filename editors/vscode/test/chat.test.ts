import assert from "node:assert/strict";
import { test } from "node:test";
import { openable, readViewMessage } from "../src/chat/messages";
import { chatPage } from "../src/chat/page";
import { MOST_TEXT, shownCall, shownMessage } from "../src/chat/present";
import type { Message, ToolCall } from "../src/protocol";
import { transcriptOf } from "../src/sessions/document";
import { History } from "../src/webview/history";
import { meaning, type Key } from "../src/webview/keys";
import { stableLength } from "../src/webview/stable";

const message = (more: Partial<Message> = {}): Message => ({
  id: "m", sessionId: "s", seq: 1, role: "assistant", content: "", timestamp: 0, metadata: {}, ...more,
});

test("of what the page says only whole messages that it may send are read", () => {
  assert.deepEqual(readViewMessage({ type: "send", prompt: "x" }), { type: "send", prompt: "x" });
  for (const bad of [null, "send", {}, { type: "send" }, { type: "send", prompt: 7 }, { type: "toString" }, { type: "__proto__" }, { type: ["send"], prompt: "x" }]) {
    assert.equal(readViewMessage(bad), undefined);
  }
});

test("the page may run no command but its own few", () => {
  assert.ok(readViewMessage({ type: "command", command: "kore.ui.mode" }));
  assert.equal(readViewMessage({ type: "command", command: "workbench.action.terminal.new" }), undefined);
});

test("a link may lead to the web and to mail, and nowhere else", () => {
  for (const good of ["https://example.org/a?b#c", "HTTP://example.org", "mailto:a@example.org"]) assert.equal(openable(good), good);
  for (const bad of ["command:workbench.action.quit", "javascript:alert(1)", "file:///etc/passwd", "vscode://x", "data:text/html,x", "//example.org", "https://a b", "https:///", ""]) {
    assert.equal(openable(bad), undefined, bad);
  }
});

test("the page allows no inline code and nothing from outside", () => {
  const page = chatPage({ source: "https://own", script: "https://own/main.js", style: "https://own/style.css", nonce: "n0nce", language: "en" });
  assert.match(page, /default-src 'none'; style-src https:\/\/own; script-src 'nonce-n0nce'/);
  assert.doesNotMatch(page, /unsafe|img-src|connect-src|\son\w+=/);
});

test("a long message is cut for the page, and says so", () => {
  const shown = shownMessage(message({ content: "x".repeat(MOST_TEXT + 1) }));
  assert.deepEqual([shown.text.length, shown.cut], [MOST_TEXT, true]);
});

test("a tool call's one text stands as it is, all else as JSON", () => {
  const call: ToolCall = { id: "c", messageId: "m", name: "read", kind: "read", title: "", arguments: {}, status: "completed" };
  assert.equal(shownCall({ ...call, result: { text: "a\nb" } }).output, "a\nb");
  assert.equal(shownCall({ ...call, result: { text: "a", lines: 2 } }).output, '{\n  "text": "a",\n  "lines": 2\n}');
  assert.deepEqual([shownCall(call).input, shownCall(call).output], ["", ""]);
});

const key = (name: string, more: Partial<Key> = {}): Key => ({
  key: name, keyCode: 0, isComposing: false, shiftKey: false, ctrlKey: false, altKey: false, metaKey: false, ...more,
});
const box = (value: string, at = value.length) => ({ value, selectionStart: at, selectionEnd: at });

test("Enter sends, but never the one that ends a composition", () => {
  assert.equal(meaning(key("Enter"), box("x")), "send");
  assert.equal(meaning(key("Enter", { isComposing: true }), box("nihao")), undefined);
  assert.equal(meaning(key("Enter", { keyCode: 229 }), box("nihao")), undefined);
  assert.equal(meaning(key("Enter", { shiftKey: true }), box("x")), undefined);
});

test("arrows walk through the history only from the first and the last line", () => {
  assert.equal(meaning(key("ArrowUp"), box("a\nb", 0)), "back");
  assert.equal(meaning(key("ArrowUp"), box("a\nb")), undefined);
  assert.equal(meaning(key("ArrowDown"), box("a\nb")), "forward");
  assert.equal(meaning(key("ArrowDown"), box("a\nb", 0)), undefined);
});

test("the history gives back what was being written", () => {
  const history = new History();
  history.reset(["one", "two", "two"]);
  assert.deepEqual([history.back("draft"), history.back("two"), history.back("one")], ["two", "one", undefined]);
  assert.deepEqual([history.forward(), history.forward(), history.forward()], ["two", "draft", undefined]);
});

test("what is stable ends with a block, outside of fences and lists", () => {
  assert.equal(stableLength("one\n\ntwo"), "one\n\n".length);
  assert.equal(stableLength("one\ntwo"), 0);
  assert.equal(stableLength("```\na\n\nb"), 0);
  assert.equal(stableLength("```\na\n\n```\n\nb"), "```\na\n\n```\n\n".length);
  assert.equal(stableLength("- a\n\n- b"), 0);
  assert.equal(stableLength("one\n\ntwo\n\nthree", 5), "one\n\ntwo\n\n".length);
});

test("a transcript tells on which line each message begins", () => {
  const { text, lines } = transcriptOf("Title", [message({ content: "a\nb" }), message({ seq: 2, role: "user", content: "c" })], ({ role }) => role);
  for (const [seq, line] of lines) assert.match(text.split("\n")[line]!, new RegExp(`^## ${seq} · `));
  assert.equal(lines.size, 2);
});
