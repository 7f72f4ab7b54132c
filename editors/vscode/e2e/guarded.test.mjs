// Folders that are not easy: encrypted sessions, hostile ones, and an editor that speaks Chinese.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Editor, LONG } from "./editor.mjs";
import { stepper } from "./steps.mjs";

const { KORE_E2E_LOCKED: LOCKED, KORE_E2E_CHINESE: CHINESE, KORE_E2E_PASSPHRASE: PASSPHRASE } = process.env;

let editor, window, chat;

before(async () => {
  editor = await Editor.start("editor");
  window = await editor.open(LOCKED);
});
after(() => editor?.close());

const step = stepper(() => window);

step("encrypted sessions ask for their passphrase, and again where it is wrong", async () => {
  await window.showKore();
  await window.toast("are encrypted").getByRole("button", { name: "Unlock" }).click({ timeout: LONG });
  await window.type("wrong");
  await window.page.keyboard.press("Enter");
  await window.page.getByText("The passphrase is wrong").first().waitFor({ timeout: LONG });
  await window.shot("6-passphrase");
  await window.type(PASSPHRASE);
  await window.page.keyboard.press("Enter");
  await window.rows.filter({ hasText: "run" }).waitFor({ timeout: LONG });
});

step("hostile names and messages do nothing in the real chat", async () => {
  await window.rows.filter({ hasText: "run" }).click();
  chat = await window.chat();
  await chat.locator(".message", { hasText: "after the picture" }).nth(1).waitFor({ timeout: LONG });
  await window.shot("7-hostile");
  assert.equal(await chat.locator("#kore-chat :is(img, script, iframe, svg, a[href])").count(), 0);
  assert.equal(await chat.evaluate(() => window.hit), undefined);
  await window.rows.filter({ hasText: "run" }).hover();
  await window.rows.filter({ hasText: "run" }).locator('.action-label[aria-label^="Delete"]').click();
  const toast = window.toast("Deleted");
  await toast.waitFor({ timeout: LONG });
  assert.equal(await toast.locator(".notification-list-item-message a").count(), 0);
  await window.close();
});

step("in Chinese every word is Chinese", async () => {
  await editor.close();
  editor = await Editor.start("chinese", { locale: "zh-cn" });
  window = await editor.open(CHINESE, { locale: "zh-CN" });
  chat = await window.openChat();
  await window.status("登录接口 · 通用 · 空闲");
  await window.shot("8-chinese");
  assert.match(await window.page.locator(".sidebar").innerText(), /会话[\s\S]*聊天/);
  assert.equal(await chat.locator(".prompt button.primary").innerText(), "发送");
  await window.page.keyboard.press("F1");
  await window.type(">Kore: 搜索");
  await window.picks.filter({ hasText: "搜索全部会话" }).waitFor({ timeout: LONG });
  await window.shot("9-chinese-palette");
});

step("nothing outside of this machine was asked for", () => {
  assert.deepEqual([...editor.outside], []);
});
