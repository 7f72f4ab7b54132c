// Folders that are not easy: encrypted sessions, hostile ones, and an editor that speaks Chinese.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";
import { Editor } from "./editor.mjs";
import { becomes, retried, stepper } from "./steps.mjs";

const { KORE_E2E_DIR: DIRECTORY, KORE_E2E_HOSTILE: HOSTILE, KORE_E2E_LOCKED: LOCKED, KORE_E2E_CHINESE: CHINESE, KORE_E2E_PASSPHRASE: PASSPHRASE } = process.env;

let editor, window, chat;

before(async () => {
  editor = await Editor.start("editor");
  window = await editor.open(LOCKED);
});
after(() => editor?.close());

const step = stepper(() => window);

step("encrypted sessions ask for their passphrase, and again where it is wrong", async () => {
  await window.showKore();
  await window.toast("are encrypted").getByRole("button", { name: "Unlock" }).click();
  await window.answer("Unlock the sessions", "wrong", "Passphrase of");
  await window.titled("Unlock the sessions").filter({ hasText: "The passphrase is wrong" }).waitFor();
  await window.shot("6-passphrase");
  await window.answer("Unlock the sessions", PASSPHRASE, "The passphrase is wrong");
  await window.row("run").waitFor();
});

step("hostile names and messages do nothing in the real chat", async () => {
  await window.row("run").click();
  chat = window.chat;
  await chat.locator(".message", { hasText: "after the picture" }).nth(1).waitFor();
  await window.shot("7-hostile");
  assert.equal(await chat.locator("#kore-chat :is(img, script, iframe, svg, a[href])").count(), 0);
  assert.equal(await chat.locator("body").evaluate(() => window.hit), undefined);
  await window.press("run", "Delete");
  const toast = window.toast("Deleted");
  await toast.waitFor();
  assert.equal(await toast.locator(".notification-list-item-message a").count(), 0);
  await window.close();
});

step("a session that is brought in with hostile messages does nothing: not in the chat, not in the transcript, not by a click", async () => {
  const folder = join(DIRECTORY, "victim");
  const file = join(DIRECTORY, "hostile.json");
  mkdirSync(folder, { recursive: true });
  const call = { id: "c1", name: HOSTILE, kind: "execute", title: HOSTILE, status: "completed", arguments: { text: HOSTILE }, result: { text: HOSTILE } };
  const messages = ["user", "assistant"].map((role, index) => ({
    id: `m${index}`, session_id: "evil", role, content: HOSTILE, thinking: role === "assistant" ? HOSTILE : undefined, timestamp: 1, metadata: {}, ...(role === "assistant" ? { tool_calls: [call] } : {}),
  }));
  writeFileSync(file, JSON.stringify({
    format: "kore-session", version: 1, exported_at: 1, id: "evil", name: "brought in", agent_mode: "build", status: "idle", created_at: 1, updated_at: 1, metadata: {}, tags: ["$(trash)"], messages,
  }));
  window = await editor.open(folder);
  await window.status("Kore"); // before any view of it was looked at
  await window.showKore();
  await window.status("no session");
  await window.command("Kore: Import Sessions");
  await window.answerFile("Import sessions", file);
  await window.row("brought in").click();
  chat = window.chat;
  const answer = chat.locator('.message[data-role="assistant"]', { hasText: "after the picture" });
  await answer.waitFor();
  for (const folded of await answer.locator("details").all()) await folded.locator("summary").click();
  await window.shot("7-hostile-import");
  assert.equal(await chat.locator("#kore-chat :is(img, script, iframe, svg, a[href])").count(), 0);
  // A click on what was written as a link to a command, or to a script, is a click on text.
  for (const text of ["run", "js"]) await answer.locator(".body").getByText(`[${text}]`).first().click();
  await window.command("Kore: Open Transcript");
  const written = window.lines.getByText("toggleZenMode").first();
  await written.waitFor();
  await written.click({ modifiers: ["Control"] });
  await window.page.keyboard.press("Control+Home");
  await window.shot("7-hostile-transcript");
  await window.status("brought in");
  assert.ok(await window.page.locator(".activitybar").isVisible());
  assert.equal(await chat.locator("body").evaluate(() => window.hit), undefined);
  assert.equal(await window.page.evaluate(() => window.hit), undefined);
  await window.close();
});

step("in Chinese every word is Chinese", async () => {
  window = await editor.open(CHINESE, { locale: "zh-CN" });
  chat = await window.openChat();
  await window.status("登录接口 · 通用 · 空闲");
  await window.shot("8-chinese");
  await becomes(() => window.page.locator(".sidebar").innerText(), /会话[\s\S]*聊天/);
  await becomes(() => chat.locator(".prompt button.primary").innerText(), "发送");
  await retried("the palette in Chinese", () => window.offered(">Kore: 搜索", "搜索全部会话"));
  await window.shot("9-chinese-palette");
  await window.escape();
  await chat.locator("textarea").fill("/write 新.txt 你好");
  await chat.locator("textarea").press("Enter");
  await chat.locator('.permission button[data-kind="allowOnce"]', { hasText: "允许一次" }).waitFor();
  await window.status("需要许可");
  await window.shot("9-chinese-permission");
  await chat.locator('.permission button[data-kind="allowOnce"]').click();
  await chat.locator(".changes").getByRole("button", { name: "还原…" }).click();
  await chat.locator(".changes").getByText("将恢复到本轮之前").waitFor();
  await chat.locator(".changes").scrollIntoViewIfNeeded();
  await window.shot("9-chinese-changes");
  await window.page.locator(".statusbar-item", { hasText: "登录接口" }).click();
  await window.picks.filter({ hasText: "新建会话" }).waitFor();
  await window.shot("9-chinese-actions");
  await becomes(async () => (await window.picks.allInnerTexts()).filter((text) => !/[\u4e00-\u9fff]/.test(text)), []);
  await window.escape();
  await window.command("Welcome: Open Walkthrough");
  await window.pick("开始使用 Kore");
  await window.shows("受信任文件夹");
  await window.shot("9-chinese-walkthrough");
});

step("nothing outside of this machine was asked for", () => {
  assert.deepEqual([...editor.outside], []);
});
