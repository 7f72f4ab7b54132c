// Folders whose sessions are gone, or never were: what is offered there once, and looking after sessions by commands.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";
import { Editor } from "./editor.mjs";
import { becomes, stepper } from "./steps.mjs";

const { KORE_E2E_DIR: DIRECTORY, KORE_E2E_LOST: LOST, KORE_E2E_TALKED: TALKED, KORE_E2E_STATE: STATE } = process.env;
const copy = join(DIRECTORY, "out", "copy.db");

let editor, window;

before(async () => {
  mkdirSync(join(DIRECTORY, "out"));
  editor = await Editor.start("editor", { environment: { XDG_STATE_HOME: STATE } });
});
after(() => editor?.close());

const step = stepper(() => window);

async function open(folder) {
  window = await editor.open(folder, { before: window });
  await window.showKore();
}

step("where the sessions are gone, their copy is offered and comes back by a click", async () => {
  await open(LOST);
  const offer = window.toast("The sessions of “lost” are gone");
  await offer.waitFor();
  await window.shot("1-gone");
  assert.equal(existsSync(join(LOST, ".kore")), false);
  await offer.getByRole("button", { name: "Bring back" }).click();
  await window.toast("Sessions brought back: 1").waitFor();
  await window.list("登录接口");
});

step("sessions are checked, and copied to a file", async () => {
  await window.command("Kore: Check the Stored Sessions");
  await window.toast("The sessions are whole").waitFor();
  await window.command("Kore: Back Up Sessions to File");
  await window.answerFile("Copy the sessions to a file", copy);
  await window.toast("Copied to").waitFor();
  await becomes(() => existsSync(copy), true);
});

step("the same is not offered twice; a copy is chosen from the list", async () => {
  await window.page.goto("about:blank");
  rmSync(join(LOST, ".kore"), { recursive: true });
  await open(LOST);
  await window.status("lost · no session");
  await window.command("Kore: Bring Sessions Back From a Backup");
  await window.titled("Bring back which copy?").waitFor();
  await window.picks.last().click(); // the oldest: there may be newer ones by now
  await window.modal("Bring back").click();
  await window.toast("Sessions brought back: 1").waitFor();
  await window.list("登录接口");
  assert.equal(await window.toast("are gone").count(), 0);
});

step("where other tools hold conversations about a folder without sessions, they are offered", async () => {
  await open(TALKED);
  const offer = window.toast("There are conversations about “talked” in Claude Code: 1.");
  await offer.waitFor();
  await window.shot("2-talked");
  await offer.getByRole("button", { name: "Not now" }).click();
  await offer.waitFor({ state: "hidden" });
  assert.equal(existsSync(join(TALKED, ".kore")), false);
});

step("what was declined is not offered again, and comes in when it is asked for", async () => {
  await open(TALKED);
  await window.status("talked · no session");
  await window.command("Kore: Bring In Conversations of Other Tools");
  await window.pick("Claude Code");
  await window.toast("Sessions brought in: 1").waitFor();
  await becomes(() => window.rows.count(), 1);
  await window.shot("3-brought-in");
  assert.equal(await window.toast("There are conversations").count(), 0);
});

step("nothing outside of this machine was asked for", () => {
  assert.deepEqual([...editor.outside], []);
});
