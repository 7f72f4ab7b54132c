// The chat's page alone in a browser, with its own policy: what it does with what it is told, hostile things included.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, beforeEach, test } from "node:test";
import { chromium } from "playwright-core";
import { chatPage } from "../out/page.mjs";
import { LONG, becomes, still } from "./steps.mjs";

const ORIGIN = "http://chat.test";
const nonce = "n0nce";
const files = {
  "/": ["text/html", chatPage({ source: ORIGIN, script: `${ORIGIN}/main.js`, style: `${ORIGIN}/style.css`, nonce, language: "en" })],
  "/main.js": ["text/javascript", readFileSync("dist/webview/main.js", "utf8")],
  "/style.css": ["text/css", readFileSync("dist/webview/style.css", "utf8")],
};

let browser, page, asked;

before(async () => {
  browser = await chromium.launch({ executablePath: process.env.KORE_E2E_CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
  page = await browser.newPage({ viewport: { width: 420, height: 700 } });
  page.setDefaultTimeout(LONG);
  await page.route("**/*", async (route) => {
    const { pathname, origin } = new URL(route.request().url());
    const file = origin === ORIGIN ? files[pathname] : undefined;
    asked.push(route.request().url());
    await (file ? route.fulfill({ contentType: file[0], body: file[1] }) : route.abort());
  });
  await page.addInitScript(() => {
    let state;
    window.said = [];
    window.acquireVsCodeApi = () => ({ postMessage: (message) => window.said.push(message), getState: () => state, setState: (next) => (state = next) });
  });
});
after(() => browser.close());

beforeEach(async () => {
  asked = [];
  await page.goto(`${ORIGIN}/`);
  await tell({ type: "setup", strings });
  await show();
});

const names = ["you", "agent", "system", "tool", "prompt", "note", "send", "stop", "thinking", "older", "newer", "latest", "copy", "copied", "insert",
  "fork", "edit", "editTitle", "regenerate", "regenerateTitle", "cut", "openTranscript", "interrupted", "cancelled", "permission", "feedback", "diff", "changed", "revert", "revertThese", "cancel", "empty", "none", "working", "input", "output",
  "switchSession", "changeMode", "newSession", "chooseAgent"];
const calls = { pending: "pending", inProgress: "running", completed: "done", failed: "failed", denied: "denied", cancelled: "cancelled" };
const strings = { ...Object.fromEntries(names.map((name) => [name, name])), queued: "{0} waiting", calls };

async function tell(message) {
  // The page listens since before this does: it has heard the message when this has.
  await page.evaluate((data) => new Promise((done) => {
    window.addEventListener("message", () => done(), { once: true });
    window.postMessage(data, "*");
  }), message);
}

const session = { id: "s", name: "Session 1", folder: "", mode: "build", modeName: "build", status: "idle", statusName: "idle" };

function show(more = {}) {
  const nothing = { messages: [], older: false, newer: false, running: false, queued: 0, openCalls: [], changes: [], answers: true, again: false };
  return tell({ type: "show", session, ...nothing, ...more });
}

function message(seq, text, more = {}) {
  return { id: `m${seq}`, seq, role: "assistant", text, cut: false, timestamp: 0, thinking: "", calls: [], ...more };
}

const said = (type) => page.evaluate((wanted) => window.said.filter((each) => each.type === wanted), type);
const distance = () => page.locator(".scroller").evaluate((each) => each.scrollHeight - each.clientHeight - each.scrollTop);
const top = () => page.locator(".scroller").evaluate((each) => each.scrollTop);
const atEnd = () => becomes(async () => (await distance()) <= 4, true, "at the end");

const HOSTILE = [
  "<script>window.hit = 1</script>",
  '<img src="x" onerror="window.hit = 1">',
  '<svg onload="window.hit = 1"><a href="javascript:window.hit=1">svg</a></svg>',
  '<iframe src="https://evil.test/frame"></iframe><style>@import "https://evil.test/style.css";</style>',
  "![picture](https://evil.test/picture.png)",
  "![data](data:image/svg+xml;base64,PHN2Zy8+)",
  "[run](command:workbench.action.terminal.new) [js](javascript:window.hit=1) [file](file:///etc/passwd) [code](vscode://x)",
  "[auto]: https://evil.test/auto\n<https://evil.test/auto>",
  "[ok](https://example.org/page)",
].join("\n\n");

test("a hostile message runs nothing, loads nothing and opens nothing", async () => {
  const before = asked.length;
  await tell({ type: "message", message: message(1, HOSTILE, { thinking: HOSTILE, calls: [{ id: "c", messageId: "m1", name: HOSTILE, kind: "other", title: HOSTILE, status: "completed", input: HOSTILE, output: HOSTILE }] }) });
  await tell({ type: "message", message: message(2, HOSTILE, { role: "user" }) });
  await tell({ type: "session", session: { ...session, name: HOSTILE, modeName: HOSTILE } });
  await tell({ type: "permissions", requests: [{ requestId: "r", sessionId: "s", turnId: "t", toolCall: {}, summary: HOSTILE, diff: HOSTILE, options: [{ id: "no", name: HOSTILE, kind: "rejectOnce" }] }] });
  await page.locator(".message").nth(1).waitFor();
  assert.equal(await page.locator("#kore-chat :is(img, script, iframe, svg, style, object, embed, link, a[href])").count(), 0);
  assert.equal(await page.evaluate(() => window.hit), undefined);
  assert.deepEqual(asked.slice(before), []);
  assert.equal((await said("link")).length, 0);
});

test("a link to the web is opened by a click alone, and shows where it leads; others are not links", async () => {
  await tell({ type: "message", message: message(1, HOSTILE) });
  const links = page.locator(".body a[role=link]");
  assert.deepEqual(await links.evaluateAll((all) => all.map((each) => each.title)), ["https://evil.test/auto", "https://example.org/page"]);
  await links.nth(1).click();
  assert.deepEqual(await said("link"), [{ type: "link", target: "https://example.org/page" }]);
  assert.equal(page.url(), `${ORIGIN}/`);
});

test("a streamed answer looks the same as the stored one", async () => {
  const text = "# Title\n\nOne **two**.\n\n- a\n- b\n\n```py\nx = 1\n\ny = 2\n```\n\nEnd 😀 中文。";
  for (let offset = 0; offset < text.length; offset += 7) {
    await tell({ type: "delta", messageId: "m1", kind: "text", offset, delta: text.slice(offset, offset + 7) });
  }
  const body = page.locator(".message .body");
  await page.waitForFunction(() => document.querySelector(".body")?.textContent?.includes("中文。"));
  const streamed = await body.innerHTML();
  await tell({ type: "message", message: message(1, text) });
  assert.equal(await body.innerHTML(), streamed);
  assert.equal(await page.locator(".message.draft").count(), 0);
});

test("what is streamed twice is shown once, and where something is missing it is asked for", async () => {
  await tell({ type: "delta", messageId: "m1", kind: "text", offset: 0, delta: "hello" });
  await tell({ type: "delta", messageId: "m1", kind: "text", offset: 3, delta: "lo you" });
  await page.waitForFunction(() => document.querySelector(".body")?.textContent?.trim() === "hello you");
  await tell({ type: "delta", messageId: "m1", kind: "text", offset: 50, delta: "later" });
  assert.equal((await said("again")).length, 1);
});

test("the end stays in view while an answer grows, until the reader scrolls up", async () => {
  const lines = (count) => Array.from({ length: count }, (_, index) => `line ${index}\n\n`).join("");
  await tell({ type: "message", message: message(1, lines(80)) });
  await atEnd();
  await page.locator(".scroller").hover();
  await page.mouse.wheel(0, -300);
  await page.locator(".to-end").waitFor();
  const before = await still(top);
  await tell({ type: "message", message: message(2, lines(40)) });
  await tell({ type: "delta", messageId: "m3", kind: "text", offset: 0, delta: lines(40) });
  await page.waitForFunction(() => document.querySelectorAll(".message").length === 3 && document.querySelector(".draft .body").textContent);
  assert.equal(await still(top), before);
  await page.locator(".to-end").click();
  await atEnd();
  await page.locator(".to-end").waitFor({ state: "hidden" });
});

test("older messages come above without moving what is read", async () => {
  const many = Array.from({ length: 30 }, (_, index) => message(index + 31, `message ${index + 31}`));
  await show({ messages: many, older: true });
  await page.locator(".page").first().click();
  assert.deepEqual(await said("older"), [{ type: "older", seq: 31 }]);
  const place = () => page.locator('[data-seq="31"]').evaluate((each) => Math.round(each.getBoundingClientRect().top));
  const before = await place();
  await tell({ type: "page", where: "older", messages: Array.from({ length: 30 }, (_, index) => message(index + 1, `m ${index + 1}`)), more: false });
  assert.ok(Math.abs((await place()) - before) < 40);
  assert.deepEqual(await page.locator(".message").evaluateAll((all) => all.map((each) => Number(each.dataset.seq))), Array.from({ length: 60 }, (_, index) => index + 1));
});

test("a message that was searched for is brought into view", async () => {
  await show({ messages: Array.from({ length: 60 }, (_, index) => message(index + 1, `text ${index}`)), newer: true, reveal: 20 });
  assert.equal(await page.locator(".revealed").getAttribute("data-seq"), "20");
  assert.ok(await page.locator(".revealed").evaluate((each) => { const { top } = each.getBoundingClientRect(); return top >= 0 && top < innerHeight; }));
  await page.locator(".to-end").click();
  assert.equal((await said("latest")).length, 1);
});

test("Enter sends, and one that ends a composition does not", async () => {
  const box = page.locator("textarea");
  await box.focus();
  const line = await page.context().newCDPSession(page);
  await line.send("Input.imeSetComposition", { text: "ni hao", selectionStart: 6, selectionEnd: 6 });
  await box.dispatchEvent("keydown", { key: "Enter", keyCode: 229, isComposing: true });
  assert.deepEqual(await said("send"), []);
  await line.send("Input.insertText", { text: "你好" });
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("second");
  await page.keyboard.press("Enter");
  assert.deepEqual(await said("send"), [{ type: "send", prompt: "你好\nsecond" }]);
  assert.equal(await box.inputValue(), "");
  await page.keyboard.press("ArrowUp");
  assert.equal(await box.inputValue(), "你好\nsecond");
});

test("a permission request takes neither focus nor keys, and its default is to reject", async () => {
  const options = [{ id: "yes", name: "Allow", kind: "allowOnce" }, { id: "always", name: "Always", kind: "allowAlways" }, { id: "no", name: "Reject", kind: "rejectOnce" }];
  const request = { requestId: "r1", sessionId: "s", turnId: "t", toolCall: {}, summary: "Change a.txt", diff: "--- a\n+++ b\n-old\n+new", options };
  await page.locator("textarea").focus();
  await page.keyboard.type("half a sen");
  await tell({ type: "permissions", requests: [request] });
  await page.locator(".permission").waitFor();
  await page.keyboard.type("tence y");
  await page.keyboard.press("Enter");
  assert.deepEqual(await said("send"), [{ type: "send", prompt: "half a sentence y" }]);
  assert.deepEqual(await said("answer"), []);
  assert.equal(await page.locator(".permission button.primary").innerText(), "Reject");
  assert.equal(await page.locator(".permission button").first().innerText(), "Reject");
  assert.deepEqual(await page.locator(".diff .added, .diff .removed").allInnerTexts(), ["-old", "+new"]);
  await page.locator(".feedback").fill("use b.txt");
  await tell({ type: "permissions", requests: [request, { ...request, requestId: "r2" }] });
  assert.equal(await page.locator(".feedback").first().inputValue(), "use b.txt");
  await page.locator(".feedback").first().press("Enter");
  assert.deepEqual(await said("answer"), [{ type: "answer", requestId: "r1", optionId: "no", feedback: "use b.txt" }]);
  await tell({ type: "permissions", requests: [] });
  assert.equal(await page.locator(".permission").count(), 0);
  await tell({ type: "permissions", requests: [request] });
  assert.equal(await page.locator(".feedback").inputValue(), "use b.txt", "what was written is lost where an answer did not arrive");
});

test("nothing reorders what is to be approved", async () => {
  const trick = "a\u202eb\u2066\u0007";
  const call = { id: "c", messageId: "m1", name: trick, kind: "execute", title: "", status: "inProgress", input: trick, output: "" };
  await tell({ type: "call", call });
  const options = [{ id: "no", name: trick, kind: "rejectOnce" }];
  await tell({ type: "permissions", requests: [{ requestId: "r1", sessionId: "s", turnId: "t", toolCall: {}, summary: trick, diff: `-\told\n+\t${trick}`, options }] });
  const places = page.locator(".call-title, .call-text, .permission .summary, .permission button, .permission .diff .added");
  await page.locator(".permission").waitFor();
  const texts = await places.evaluateAll((all) => all.map((each) => each.textContent).filter(Boolean));
  assert.deepEqual(texts.sort(), ["+\ta\ufffdb\ufffd\u2407", ...Array(4).fill("a\ufffdb\ufffd\u2407")]);
});

test("what tools gave, code, thoughts and names of files are shown sign by sign, however they come", async () => {
  const [trick, shown] = ["\ta\u202eb\u2066\u0007\u009b\n", "\ta\ufffdb\ufffd\u2407\ufffd\n"];
  const call = { id: "c", messageId: "m1", name: "run", kind: "execute", title: "", status: "inProgress", input: "", output: "" };
  const output = page.locator(".call pre").last();
  await tell({ type: "call", call });
  await tell({ type: "output", id: "c", offset: 0, chunk: trick });
  await tell({ type: "output", id: "c", offset: trick.length - 1, chunk: `\n${trick}` });
  assert.equal(await output.textContent(), shown + shown);
  await tell({ type: "call", call: { ...call, status: "completed", output: `+${trick}` } });
  assert.equal(await output.textContent(), `+${shown}`);
  await show({ messages: [message(1, `\`x\u202e\`\n\n\`\`\`\n${trick}\`\`\``, { thinking: trick })], changes: [{ turnId: "t", lastSeq: 1, files: ["a\u202eb"], revertable: true }] });
  const places = page.locator(".thought, .body p code, .body pre, .changes .link");
  await becomes(() => places.allTextContents(), [shown, "x\ufffd", shown, "a\ufffdb"]);
  await page.locator(".code").getByRole("button", { name: "copy" }).click();
  assert.deepEqual((await said("copy")).map(({ text }) => text), [trick]);
  await tell({ type: "preview", turnId: "t", text: "a\u202eb\nc", possible: true });
  assert.equal(await page.locator(".changes p").textContent(), "a\ufffdb\nc");
});

test("tool calls are folded, and follow their output", async () => {
  const call = { id: "c", messageId: "m1", name: "run", kind: "execute", title: "Run tests", status: "inProgress", input: "pytest", output: "" };
  await tell({ type: "call", call });
  await tell({ type: "output", id: "c", offset: 0, chunk: "one\n" });
  await tell({ type: "output", id: "c", offset: 2, chunk: "e\ntwo\n" });
  const details = page.locator("details.call");
  assert.equal(await details.evaluate((each) => each.open), false);
  await details.locator("summary").click();
  assert.deepEqual(await details.locator("pre").allInnerTexts(), ["pytest", "one\ntwo\n"]);
  await tell({ type: "call", call: { ...call, status: "denied", output: "" } });
  assert.equal(await details.locator(".call-status").innerText(), "denied");
  assert.equal(await details.evaluate((each) => each.open), true);
});

test("why the agent failed stays until the next turn", async () => {
  const failed = { type: "done", stopReason: "error", text: "The agent stopped" };
  await tell({ type: "turn", running: true, queued: 0 });
  await tell({ type: "failed", text: "answered with status 429" });
  await tell({ type: "turn", running: false, queued: 0 });
  await tell(failed);
  await becomes(() => page.locator(".end").innerText(), "answered with status 429", "the reason");
  await tell({ type: "turn", running: true, queued: 0 });
  await tell({ type: "turn", running: false, queued: 0 });
  await tell(failed);
  await becomes(() => page.locator(".end").innerText(), "The agent stopped", "the usual words");
});

test("code can be copied and inserted as it stands", async () => {
  await tell({ type: "message", message: message(1, "```html\n<b>&amp;</b>\n```") });
  await page.getByRole("button", { name: "insert" }).click();
  await page.locator(".code").getByRole("button", { name: "copy" }).click();
  assert.deepEqual([...(await said("insert")), ...(await said("copy"))].map(({ text }) => text), ["<b>&amp;</b>\n", "<b>&amp;</b>\n"]);
});

test("a running turn can be stopped, prompts wait in line, and a refused one comes back", async () => {
  assert.equal(await page.locator(".stop").isVisible(), false);
  await tell({ type: "turn", running: true, queued: 2 });
  assert.equal(await page.locator(".queue").innerText(), "2 waiting");
  await page.locator(".stop").click();
  assert.equal((await said("stop")).length, 1);
  await page.locator("textarea").fill("newer");
  await tell({ type: "refused", prompt: "older", text: "why" });
  assert.equal(await page.locator("textarea").inputValue(), "older\n\nnewer");
  assert.equal(await page.locator(".note").innerText(), "why");
});

test("what a turn changed stands under it and can be reverted", async () => {
  await show({ messages: [message(1, "a"), message(2, "b")], changes: [{ turnId: "t1", lastSeq: 1, files: ["src/a.py"], revertable: true }] });
  const card = page.locator('[data-seq="1"] .changes');
  await card.getByRole("button", { name: "src/a.py" }).click();
  await card.getByRole("button", { name: "revert" }).click();
  assert.deepEqual([await said("preview"), await said("file")], [[{ type: "preview", turnId: "t1" }], [{ type: "file", path: "src/a.py" }]]);
  await tell({ type: "preview", turnId: "t1", text: "src/a.py would be as before", possible: true });
  assert.match(await card.innerText(), /would be as before/);
  await card.getByRole("button", { name: "cancel" }).click();
  assert.doesNotMatch(await card.innerText(), /would be as before/);
  await tell({ type: "preview", turnId: "t1", text: "nothing", possible: false });
  assert.equal(await card.getByRole("button", { name: "revertThese" }).count(), 0);
  await tell({ type: "preview", turnId: "t1", text: "src/a.py would be as before", possible: true });
  assert.deepEqual(await said("revert"), []);
  await card.getByRole("button", { name: "revertThese" }).click();
  assert.deepEqual(await said("revert"), [{ type: "revert", turnId: "t1" }]);
  await tell({ type: "reverted", turnId: "t1", text: "Reverted" });
  assert.equal(await card.locator("button:not(.link)").count(), 0);
});

test("what the user said can be edited and answered anew, what the agent said can't", async () => {
  await show({ messages: [message(1, "a", { role: "user" }), message(2, "b")] });
  await page.locator('[data-seq="1"]').hover();
  for (const name of ["edit", "regenerate"]) {
    await page.locator('[data-seq="1"]').getByRole("button", { name, exact: true }).click();
    assert.deepEqual(await said(name), [{ type: name, messageId: "m1" }]);
    assert.equal(await page.locator('[data-seq="2"]').getByRole("button", { name, exact: true }).count(), 0);
  }
});

test("who could answer is offered below the answer by one button, which takes no focus", async () => {
  await show({ messages: [message(1, "a", { role: "user" }), message(2, "b")] });
  const offer = page.locator(".offer");
  assert.equal(await offer.isVisible(), false);
  await page.locator("textarea").focus();
  await tell({ type: "offer", label: "Answer with <b>it</b>", more: true });
  await page.keyboard.type("typed on");
  assert.equal(await page.locator("textarea").inputValue(), "typed on");
  await offer.getByRole("button", { name: "Answer with <b>it</b>" }).click();
  assert.deepEqual(await said("takeOffer"), [{ type: "takeOffer" }]);
  await offer.getByRole("button", { name: "chooseAgent" }).click();
  assert.deepEqual(await said("command"), [{ type: "command", command: "kore.ui.agent" }]);
  await tell({ type: "offer", text: "It answers." });
  assert.deepEqual([await offer.innerText(), await offer.getByRole("button").count()], ["It answers.", 0]);
  await tell({ type: "offer", label: "one" });
  assert.equal(await offer.getByRole("button").count(), 1);
  await show();
  assert.equal(await offer.isVisible(), false);
});

test("what was typed while no session was known yet goes to the one that comes", async () => {
  const box = page.locator("textarea");
  await show({ session: undefined });
  await box.fill("early");
  await show();
  assert.equal(await box.inputValue(), "early");
  await show({ session: undefined });
  assert.equal(await box.inputValue(), "");
  await box.fill("again");
  await show();
  assert.equal(await box.inputValue(), "early\n\nagain");
});

test("an unsent prompt belongs to its session", async () => {
  await page.locator("textarea").fill("half");
  await show({ session: { ...session, id: "other" } });
  assert.equal(await page.locator("textarea").inputValue(), "");
  await show();
  assert.equal(await page.locator("textarea").inputValue(), "half");
});
