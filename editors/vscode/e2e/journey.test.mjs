// A user's way through sessions in the real editor, from a fresh folder on. Each step goes on where the last one ended.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";
import { Editor } from "./editor.mjs";
import { becomes, retried, stepper, still } from "./steps.mjs";

const { KORE_E2E_DIR: DIRECTORY, KORE_E2E_HOSTILE: HOSTILE, KORE_E2E_PASSPHRASE: PASSPHRASE } = process.env;
const folder = join(DIRECTORY, "project");

let editor, window, chat, box;

before(async () => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "long.txt"), Array.from({ length: 2_000 }, (_, index) => `line ${index} 中文`).join("\n"));
  writeFileSync(join(folder, "hostile.txt"), HOSTILE);
  editor = await Editor.start("editor");
  window = await editor.open(folder);
});
after(() => editor?.close());

const step = stepper(() => window);

async function prompt(text) {
  await box.fill(text);
  await box.press("Enter");
}

const said = (text) => chat.locator(".message", { hasText: text }).first().waitFor();
const answered = (text) => chat.locator('.message[data-role="assistant"]:not(.draft)', { hasText: text }).last().waitFor();
const status = (text) => window.status(text);
const sought = (text) => window.picks.filter({ hasText: text }).first();
const top = () => chat.locator(".scroller").evaluate((each) => Math.round(each.scrollTop));
const distance = () => chat.locator(".scroller").evaluate((each) => Math.round(each.scrollHeight - each.clientHeight - each.scrollTop));

const atEnd = () => becomes(async () => (await distance()) <= 4, true, "at the end");

async function openChat() {
  chat = await window.openChat();
  box = chat.locator("textarea");
}

step("in a fresh folder the server is found, and nothing is made there by looking", async () => {
  await openChat();
  await status("no session");
  assert.equal(existsSync(join(folder, ".kore")), false);
});

step("Enter that ends a composition sends nothing; the next one does, into a session of its own", async () => {
  await box.focus();
  const keys = await window.context.newCDPSession(window.page);
  await keys.send("Input.imeSetComposition", { text: "bang wo", selectionStart: 7, selectionEnd: 7 });
  await window.page.keyboard.press("Enter");
  await keys.send("Input.insertText", { text: "帮我加上登录限流 rateLimiter" });
  await becomes(() => box.inputValue(), /登录限流/);
  assert.equal(await chat.locator(".message").count(), 0);
  await box.fill("帮我加上登录限流 rateLimiter");
  await box.press("Enter");
  await said("登录限流");
  await answered("");
  await window.row("Session 1").waitFor();
  await status("project · Session 1 · build · idle");
  await window.shot("1-answer");
});

step("a long answer ends in view, its tool call folded", async () => {
  await prompt("/read long.txt");
  await answered("line 1");
  await status("build · idle");
  await atEnd();
  assert.equal(await chat.locator("details.call").last().evaluate((each) => each.open), false);
});

step("what comes bit by bit is shown bit by bit, and who scrolled up meanwhile stays there", async () => {
  await prompt("/run sh -c 'for i in 1 2 3 4 5; do echo step $i; done; while [ ! -e go.txt ]; do sleep 0.2; done; echo step 6'");
  const call = chat.locator("details.call", { hasText: "sh" }).last();
  const allow = chat.locator('.permission button[data-kind="allowOnce"]');
  await chat.locator('.call[data-status="inProgress"]').or(allow).first().waitFor();
  if (await allow.count()) await allow.click(); // where no sandbox works
  await call.locator("summary").click();
  const output = call.locator("pre").last();
  await output.getByText("step 2").waitFor();
  assert.doesNotMatch(await output.innerText(), /step 6/);
  await chat.locator(".scroller").hover();
  await window.page.mouse.wheel(0, -600);
  await chat.locator(".to-end").waitFor();
  const before = await still(top);
  await window.shot("2-streaming");
  writeFileSync(join(folder, "go.txt"), "");
  await output.getByText("step 6").waitFor();
  await chat.locator(".stop").waitFor({ state: "hidden" });
  await status("build · idle");
  assert.equal(await still(top), before);
  await chat.locator(".to-end").click();
  await atEnd();
});

step("the mode is chosen from a list", async () => {
  await chat.locator(".head .mode").click();
  await window.pick("general");
  await status("project · Session 1 · general · idle");
});

step("what the user rejects does not happen, and the agent is told why", async () => {
  await prompt("/write no.txt never");
  await chat.locator(".permission").waitFor();
  await status("Permission needed");
  await window.shot("3-permission");
  assert.equal(await box.evaluate((each) => document.activeElement === each), true, "the question took the focus");
  await window.page.locator('.activitybar a[aria-label^="Explorer"]').click();
  await window.page.locator(".sidebar .composite.title", { hasText: "Explorer" }).waitFor();
  await window.page.locator(".statusbar-item", { hasText: "Permission needed" }).click();
  await chat.locator(".permission").waitFor();
  await chat.locator(".feedback").fill("not there");
  await chat.locator(".permission button.primary").click();
  await chat.locator('.call[data-status="denied"]').waitFor();
  assert.equal(existsSync(join(folder, "no.txt")), false);
});

step("what the user allows happens, is shown as the turn's change, and can be reverted", async () => {
  await prompt("/write yes.txt 你好");
  await chat.locator('.permission button[data-kind="allowOnce"]').click();
  const card = chat.locator(".changes").last();
  await card.waitFor();
  assert.match(readFileSync(join(folder, "yes.txt"), "utf8"), /你好/);
  await card.getByRole("button", { name: "Revert…" }).click();
  await card.getByText("Would be as before the turn: yes.txt").waitFor();
  await window.shot("4-changed");
  assert.equal(existsSync(join(folder, "yes.txt")), true);
  await card.getByRole("button", { name: "Revert these" }).click();
  await card.getByText("Reverted: yes.txt").waitFor();
  assert.equal(existsSync(join(folder, "yes.txt")), false);
});

step("a prompt is taken back with the file it changed, to be written anew", async () => {
  await prompt("/write back.txt 你好");
  await chat.locator('.permission button[data-kind="allowOnce"]').click();
  await chat.locator(".changes", { hasText: "back.txt" }).waitFor();
  const asked = chat.locator('.message[data-role="user"]', { hasText: "back.txt" });
  await asked.hover();
  await window.shot("5-message");
  await asked.getByRole("button", { name: "Edit" }).click();
  const dialog = window.page.locator(".monaco-dialog-box");
  await dialog.getByText("Go back to before this message?").waitFor();
  await window.shot("5-rewind");
  await dialog.getByRole("button", { name: "Take back 2 messages and 1 files" }).click();
  await asked.waitFor({ state: "detached" });
  await becomes(() => box.inputValue(), "/write back.txt 你好"); // it comes with the reply, after the event
  assert.equal(existsSync(join(folder, "back.txt")), false);
  await box.fill("");
});

step("a session is renamed and forked from its row", async () => {
  await window.press("Session 1", "Rename");
  await window.answer("Rename the session", "登录接口");
  await window.list("登录接口");
  await window.row("登录接口").hover();
  await window.shot("5-row");
  await window.press("登录接口", "Fork");
  await window.list("登录接口", "登录接口");
  await window.inChat();
});

step("a new session begins empty, and switching goes back", async () => {
  await window.command("Kore: New Session");
  await status("Session 2 · build · idle");
  await chat.getByText("Nothing has been said").waitFor();
  await window.inChat();
  await window.command("Kore: Switch Session");
  await window.pick("登录接口");
  await said("登录限流");
  await window.inChat();
});

step("two Chinese characters are found as they are typed, and the hit leads to its message", async () => {
  await window.command("Kore: Search All Sessions");
  await window.type("限流");
  await sought("‹限流›").waitFor();
  await window.shot("6-search");
  await sought("‹限流›").click();
  await chat.locator(".revealed", { hasText: "登录限流" }).waitFor();
  await window.inChat();
});

step("a deleted session is gone at once and comes back by Undo", async () => {
  await becomes(() => window.rows.count(), 3);
  await window.press("Session 2", "Delete");
  await window.list("登录接口", "登录接口");
  await window.toast("Deleted “Session 2”").getByRole("button", { name: "Undo" }).click();
  await window.row("Session 2").waitFor();
  await becomes(() => window.rows.count(), 3);
});

step("a session's id is copied, and a session closed, from its row", async () => {
  await window.press("Session 2", "Copy Session Id");
  await becomes(() => window.page.evaluate(() => navigator.clipboard.readText()), /^[0-9a-f-]{36}$/);
  await window.press("Session 2", "Close Session");
  await window.row("Session 2").filter({ hasText: "closed" }).waitFor();
  await window.page.mouse.move(0, 0);
  await window.shot("6-closed");
});

step("the transcript is a document that can't be written to, with what tools were given and gave", async () => {
  await window.command("Kore: Open Transcript");
  await window.lines.getByText("登录限流").first().waitFor();
  await retried("the transcript's end", async () => {
    await window.enterEditor();
    await window.page.keyboard.press("Control+End");
    await window.lines.getByText("Output:").first().waitFor({ timeout: 2_000 });
  });
  await retried("the word that it can't be edited", async () => {
    await window.page.keyboard.type("x");
    await window.page.getByText("Cannot edit in read-only editor").first().waitFor({ timeout: 2_000 });
  });
  await window.shot("7-transcript");
});

step("a message that means harm runs nothing and loads nothing, read or clicked", async () => {
  await prompt("/read hostile.txt");
  await answered("after the picture");
  const harm = chat.locator('.message[data-role="assistant"]', { hasText: "after the picture" });
  assert.equal(await chat.locator("#kore-chat :is(img, script, iframe, svg, a[href])").count(), 0);
  for (const text of ["run", "js"]) await harm.locator(".body").getByText(`[${text}]`).first().click();
  await status("general · idle");
  assert.equal(await chat.locator("body").evaluate(() => window.hit), undefined);
  assert.equal(await window.page.evaluate(() => window.hit), undefined);
  assert.ok(await window.page.locator(".activitybar").isVisible());
});

step("sessions are encrypted; a window opened later, in Chinese, asks for their passphrase until it is right, and all is there", async () => {
  await window.command("Kore: Encrypt Sessions");
  await window.answer("Encrypt the sessions", PASSPHRASE, "The new passphrase.");
  await window.answer("Encrypt the sessions", PASSPHRASE, "once more");
  await window.toast("The sessions are encrypted.").waitFor();
  assert.ok(!readFileSync(join(folder, ".kore", "sessions.db")).includes("rateLimiter"));
  await window.close();
  window = await editor.open(folder, { locale: "zh-CN" });
  await window.showKore();
  await window.toast("会话已加密").getByRole("button", { name: "解锁" }).click();
  await window.answer("解锁会话", "wrong", "口令");
  await window.answer("解锁会话", PASSPHRASE, "口令不正确");
  await becomes(() => window.rows.count(), 3);
  await window.row("登录接口").first().waitFor();
  chat = window.chat;
  box = chat.locator("textarea");
  await said("登录限流");
  await window.shot("8-chinese");
});

step("in Chinese its words are Chinese, and what was rejected does not happen", async () => {
  await status("通用 · 空闲");
  await becomes(() => window.page.locator(".sidebar").innerText(), /会话[\s\S]*聊天/);
  await becomes(() => chat.locator(".prompt button.primary").innerText(), "发送");
  await prompt("/write 新.txt 你好");
  await chat.locator('.permission button[data-kind="allowOnce"]', { hasText: "允许一次" }).waitFor();
  await status("需要许可");
  await window.shot("9-chinese-permission");
  await chat.locator(".permission button.primary", { hasText: "拒绝" }).click();
  await status("通用 · 空闲");
  assert.equal(existsSync(join(folder, "新.txt")), false);
});

step("nothing outside of this machine was asked for", () => {
  assert.deepEqual([...editor.outside], []);
});
