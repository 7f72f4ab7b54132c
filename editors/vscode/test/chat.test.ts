import assert from "node:assert/strict";
import { test } from "node:test";
import { decisionLog, ruleText } from "../src/chat/decisions";
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

test("a tool's text stands as it is, with its diff; what has none stands as a line for each value", () => {
  const call: ToolCall = { id: "c", messageId: "m", name: "read", kind: "read", title: "", arguments: {}, status: "completed" };
  assert.equal(shownCall({ ...call, result: { text: "a\nb" } }).output, "a\nb");
  assert.equal(shownCall({ ...call, result: { text: "a", exitCode: 2 } }).output, "a");
  assert.equal(shownCall({ ...call, result: { text: "a", diff: "+b\n" } }).output, "a\n\n+b\n");
  assert.equal(shownCall({ ...call, result: { lines: 2 } }).output, 'lines: 2');
  assert.equal(shownCall({ ...call, arguments: { path: "a", text: "b" } }).input, 'path: a\ntext: b');
  assert.equal(
    shownCall({ ...call, arguments: { command: ["git", "commit", "-m", "a b"], text: "one\ntwo", more: { deep: [1] } } }).input,
    'command: git commit -m "a b"\ntext:\none\ntwo\nmore: {"deep":[1]}',
  );
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

const words = { role: ({ role }: Message) => role, status: ({ status }: ToolCall) => status, input: "In", output: "Out" };

test("a transcript tells on which line each message begins", () => {
  const { text, headings } = transcriptOf("Title", [message({ content: "a\nb" }), message({ seq: 2, role: "user", content: "c" })], words);
  for (const { seq, line, title } of headings) assert.equal(text.split("\n")[line], `## ${title}`, String(seq));
  assert.deepEqual(headings.map(({ seq }) => seq), [1, 2]);
});

test("a transcript holds what tools were given and what they gave, in fences that nothing in them closes", () => {
  const call = { id: "c", name: "run", title: "Run tests", status: "failed", arguments: { argv: ["make"] }, result: { text: "```\nout\n" } } as unknown as ToolCall;
  const { text } = transcriptOf("Title", [message({ toolCalls: [call] })], words);
  assert.match(text, /### `run` Run tests \(failed\)/);
  assert.match(text, /In:\n\n```\nargv: make\n```/);
  assert.match(text, /Out:\n\n````\n```\nout\n````/);
});

test("a logged decision says when and how it fell, about what, and why", () => {
  const toolCall = { id: "c", name: "write_file", kind: "edit", title: "a\u202e.txt", arguments: { path: "a.txt" } };
  const decision = { sessionId: "s", turnId: "t", toolCall, mode: "general", decision: "asked", rule: "general.edit", outcome: "rejectOnce", timestamp: 0 } as const;
  const names = { outcome: () => "rejected", session: () => "Session 1", mode: () => "general", none: "none" };
  assert.equal(
    decisionLog("Title", [decision], names),
    'Title\n\n1970-01-01 00:00:00Z  rejected  (general, general.edit)  Session 1\n    write_file  a\ufffd.txt\n    a.txt\n',
  );
  assert.equal(decisionLog("Title", [], names), "Title\n\nnone\n");
});

test("a remembered answer is told by exactly what it is about", () => {
  assert.equal(ruleText({ tool: "run", paths: [], argv: ["git", "commit", "-m", "a b"] }), 'run git commit -m "a b"');
  assert.equal(ruleText({ tool: "write_file", paths: ["a.txt"], argv: [] }), "write_file a.txt");
});
