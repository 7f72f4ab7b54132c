// Where the server comes from, in the real editor: from nowhere, from a click, from a folder that is trusted or is not.
// And windows with several folders.
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { after, before } from "node:test";
import { Editor } from "./editor.mjs";
import { LONG, becomes, retried, stepper } from "./steps.mjs";

const { KORE_E2E_DIR: DIRECTORY, KORE_E2E_SERVER: SERVER } = process.env;
const bin = join(DIRECTORY, "bin");
const fetched = join(DIRECTORY, "uvx-was-asked-for");
const starts = join(DIRECTORY, "starts");
const ran = join(DIRECTORY, "the-folders-own-server-ran");
const [restricted, api, web] = ["restricted", "api", "web"].map((name) => join(DIRECTORY, name));

let editor, window, chat;

function program(file, ...lines) {
  writeFileSync(file, ["#!/bin/sh", ...lines, ""].join("\n"));
  chmodSync(file, 0o755);
}

async function prompt(text) {
  await chat.locator("textarea").fill(text);
  await chat.locator("textarea").press("Enter");
}

async function trust() {
  await window.command("Workspaces: Manage Workspace Trust");
  await window.page.locator(".workspace-trust-editor").getByRole("button", { name: "Trust", exact: true }).click();
}

const text = (file) => (existsSync(file) ? readFileSync(file, "utf8") : "");

before(async () => {
  for (const each of [bin, join(restricted, ".venv", "bin"), api, web]) mkdirSync(each, { recursive: true });
  program(join(restricted, ".venv", "bin", "kore-ls"), `touch '${ran}'`, `pwd >> '${ran}'`, `exec '${SERVER}' "$@"`);
  writeFileSync(join(restricted, "notes.txt"), "first\nsecond\n");
  writeFileSync(join(web, "page.txt"), "");
  writeFileSync(join(DIRECTORY, "both.code-workspace"), JSON.stringify({ folders: [{ path: "api" }, { path: "web" }] }));
  // Nowhere on this search path is a server.
  const searchPath = [bin, "/usr/bin", "/bin"].join(delimiter);
  const trust = { "security.workspace.trust.enabled": true, "security.workspace.trust.startupPrompt": "never", "security.workspace.trust.banner": "never" };
  editor = await Editor.start("editor", { settings: trust, environment: { PATH: searchPath } });
  window = await editor.open(restricted);
});
after(() => editor?.close());

const step = stepper(() => window);

step("where there is no server the user is told so, and how to install one; a folder's own is not run without trust", async () => {
  await window.showKore();
  await window.toast("To install it: pip install kore-ls==").getByRole("button", { name: "Copy command" }).waitFor();
  await window.status("no server");
  await window.page.locator(".sidebar").getByText("How to Install").first().waitFor();
  await window.shot("1-no-server");
  assert.equal(existsSync(ran), false);
});

step("uvx fetches a pinned release, and only after a click", async () => {
  program(join(bin, "uvx"), `echo "$@" > '${fetched}'`, "shift 3", `exec '${SERVER}' "$@"`);
  await window.command("Kore: Restart Server");
  await window.command("Kore: How to Install the Server");
  const offer = window.toast("The Kore server was not found").last();
  await offer.getByRole("button", { name: "Fetch with uvx" }).waitFor();
  assert.equal(existsSync(fetched), false);
  await offer.getByRole("button", { name: "Fetch with uvx" }).click();
  await window.status("no session");
  assert.match(text(fetched), /^--from kore-ls==\d+\.\d+\.\d+ kore-ls serve --stdio/);
  assert.equal(existsSync(ran), false);
});

step("without trust an agent reads and changes nothing", async () => {
  chat = await window.openChat();
  await prompt("/read notes.txt");
  await chat.locator('.message[data-role="assistant"]', { hasText: "second" }).waitFor();
  await prompt("/write made.txt no");
  await chat.locator('.call[data-status="denied"]').waitFor();
  await window.status("Session 1 · plan (restricted) · idle");
  await window.shot("2-restricted");
  assert.equal(existsSync(join(restricted, "made.txt")), false);
});

step("with trust the folder's own server runs, outside of the folder, and the agent may work", async () => {
  await trust();
  await becomes(() => text(ran), /^(\/\n)+$/);
  await window.status("build · idle");
  chat = await window.openChat();
  await prompt("/write made.txt yes");
  await chat.locator(".changes").last().waitFor();
  assert.equal(readFileSync(join(restricted, "made.txt"), "utf8"), "yes");
  await window.close();
});

step("in a window with two folders each has its sessions, and new ones ask where", async () => {
  program(join(bin, "kore-ls"), `echo started >> '${starts}'`, `exec '${SERVER}' "$@"`);
  window = await editor.open(join(DIRECTORY, "both.code-workspace"));
  // An editor that is slow to start may take a workspace's file for one without folders, and does not look again.
  await retried("the folders of the workspace", async () => {
    await window.showKore();
    await window.status("api · no session", LONG / 2).catch(async (error) => {
      await window.page.reload();
      throw error;
    });
  });
  await trust();
  await becomes(() => text(starts), /^(started\n){2,}$/);
  await window.status("api · no session");
  for (const [name, folder] of [["api", "api"], ["web", "web"]]) {
    await window.command("Kore: New Session");
    await window.page.locator(".quick-input-title", { hasText: "In which folder?" }).waitFor();
    await window.pick(name);
    await window.status(`${folder} · Session 1 · build · idle`);
    await window.inChat();
  }
  await window.list("api", "Session 1", "web", "Session 1");
  assert.ok(existsSync(join(api, ".kore", "sessions.db")) && existsSync(join(web, ".kore", "sessions.db")));
  await window.shot("3-two-folders");
});

step("the folder follows the editor, and the chat follows the folder", async () => {
  chat = await window.openChat();
  await chat.getByText("web · Session 1").waitFor();
  await window.rows.nth(1).click();
  await chat.getByText("api · Session 1").waitFor();
  await window.status("api · Session 1");
  await window.inChat();
  await window.openFile("page.txt");
  await window.status("web · Session 1");
  await chat.getByText("web · Session 1").waitFor();
});

step("a question of an agent that is out of sight takes neither focus nor keys, and Look leads to it", async () => {
  await window.rows.nth(1).click();
  await chat.getByText("api · Session 1").waitFor();
  await window.inChat();
  await prompt("/run sh -c 'while [ ! -e go ]; do sleep 0.2; done'");
  const allow = chat.locator('.permission button[data-kind="allowOnce"]');
  await chat.locator('.call[data-status="inProgress"]').or(allow).first().waitFor();
  if (await allow.count()) await allow.click(); // where no sandbox works
  await prompt("/run --network true");
  await chat.getByText("1 waiting").waitFor();
  await window.openFile("page.txt");
  const toast = window.toast("The agent of “api · Session 1” asks for permission");
  await window.page.keyboard.type("typed ");
  await chat.getByText("web · Session 1").waitFor();
  writeFileSync(join(api, "go"), "");
  await toast.waitFor();
  await window.status("Permission needed · api · Session 1");
  await window.page.keyboard.type("on and on\n");
  await window.lines.getByText("typed on and on").waitFor();
  await window.shot("4-question-elsewhere");
  assert.equal(await toast.count(), 1, "asked once");
  assert.equal(await toast.getByRole("button").first().innerText(), "Reject");
  await toast.getByRole("button", { name: "Look" }).click();
  await chat.locator(".permission").waitFor();
  await chat.locator(".permission button.primary").click();
  await chat.locator('.call[data-status="denied"]').waitFor();
});

step("nothing outside of this machine was asked for", () => {
  assert.deepEqual([...editor.outside], []);
});
