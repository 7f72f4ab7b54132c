// Sessions kept in order and kept safe, in the real editor: labels, files, answers that are remembered, passphrases.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";
import { Editor } from "./editor.mjs";
import { becomes, retried, stepper } from "./steps.mjs";

const { KORE_E2E_DIR: DIRECTORY, KORE_E2E_FOREIGN: FOREIGN } = process.env;
const folder = join(DIRECTORY, "keeping");
const file = join(DIRECTORY, "out", "会话.json");

let editor, window, chat, model;

/** A model on this machine that says the first part at once, and the second when it is told to go on. */
class Model {
  static async start(first, second) {
    const told = new Model();
    told.keys = [];
    const goOn = new Promise((resolve) => (told.goOn = resolve));
    const server = createServer(async (request, response) => {
      told.keys.push(request.headers.authorization);
      response.writeHead(200, { "content-type": "text/event-stream" });
      const say = (delta, reason = null) => {
        const choices = [{ index: 0, delta, finish_reason: reason }];
        response.write(`data: ${JSON.stringify({ id: "1", object: "chat.completion.chunk", created: 1, model: "slow", choices })}\n\n`);
      };
      if (told.keys.length === 1) {
        say({ role: "assistant", content: first });
        await goOn;
        say({ content: second });
      } else say({ role: "assistant", content: "Session 1" }); // it is asked for a name of the session
      say({}, "stop");
      response.end("data: [DONE]\n\n");
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    told.address = `http://127.0.0.1:${server.address().port}/v1`;
    told.close = () => server.close();
    return told;
  }
}

before(async () => {
  mkdirSync(folder, { recursive: true });
  mkdirSync(join(DIRECTORY, "out"));
  model = await Model.start("# Plan\n\nFirst **this**, then 这个:\n\n```py\nx = 1\n", "y = 2\n```\n\nThat is all.");
  const agent = { backend: "builtin", model: "slow", baseUrl: model.address };
  editor = await Editor.start("editor", { settings: { "workbench.colorTheme": "Default Dark Modern", "kore.agent": agent } });
  window = await editor.open(folder);
  chat = await window.openChat();
});
after(async () => {
  await editor?.close();
  model?.close();
});

const step = stepper(() => window);

async function prompt(text) {
  await chat.locator("textarea").fill(text);
  await chat.locator("textarea").press("Enter");
}

const answered = (text) => chat.locator('.message[data-role="assistant"]:not(.draft)', { hasText: text }).last().waitFor();
/** Wait until no turn runs any more: one that was seen to run. */
async function idle() {
  await chat.locator(".stop").waitFor({ state: "hidden" });
  await window.status("idle");
}
const encrypted = () => !readFileSync(join(folder, ".kore", "sessions.db")).includes("deploy-notes");

step("a session gets tags and a description, goes to the archive and comes back", async () => {
  await prompt("deploy-notes");
  await window.row("Session 1").waitFor();
  await answered("note");
  await idle();
  await window.command("Kore: Edit Tags");
  await window.answer("Tags of the session", "api, 登录");
  await window.command("Kore: Edit Description");
  await window.answer("Description of the session", "what we did on Sunday");
  await retried("the row's tooltip", async () => {
    await window.page.mouse.move(0, 0);
    await window.row("Session 1").hover({ timeout: 5_000 });
    await window.page.getByText("#api #登录").first().waitFor({ timeout: 5_000 });
    await window.page.getByText("what we did on Sunday").first().waitFor({ timeout: 5_000 });
  });
  await window.shot("1-labels-dark");
  await window.command("Kore: Archive Session");
  await window.row("Session 1").waitFor({ state: "detached" });
  await window.command("Kore: Bring Back Archived Session");
  await window.pick("Session 1");
  await window.row("Session 1").waitFor();
  await window.inChat();
});

step("a provider's key is typed unseen, and is nowhere but in the editor's secrets", async () => {
  await window.command("Kore: Set API Key");
  await window.pick("custom");
  await window.page.locator(".quick-input-title", { hasText: "API key of custom" }).waitFor();
  await becomes(() => window.input.getAttribute("type"), "password");
  await window.answer("API key of custom", "sk-e2e-secret");
  await window.toast("The key of custom is set").waitFor();
  await window.command("Kore: Set API Key");
  await window.picks.filter({ hasText: "has a key" }).waitFor();
  await window.escape();
});

step("the agents the server knows are listed, one that could answer is taken by its button; what a model says is shown as it comes", async () => {
  await window.command("Kore: Choose Agent");
  await window.picks.filter({ hasText: "builtin" }).waitFor();
  await window.shot("2-agents-dark");
  await window.escape();
  await chat.locator(".offer").getByRole("button", { name: /^Answer with .*slow from now on$/ }).click();
  await chat.locator(".offer", { hasText: /The next prompt is answered by .*slow/ }).waitFor();
  await prompt("what now?");
  const answer = chat.locator(".message.draft");
  await answer.locator("strong", { hasText: "this" }).waitFor();
  await answer.locator("h1", { hasText: "Plan" }).waitFor();
  await answer.locator("pre", { hasText: "x = 1" }).waitFor();
  assert.equal(await chat.getByText("That is all.").count(), 0);
  await window.status("running");
  await window.shot("2-streaming-dark");
  model.goOn();
  await answered("That is all.");
  await idle();
  assert.deepEqual([...new Set(model.keys)], ["Bearer sk-e2e-secret"]);
  await retried("a button that says it has copied", async () => {
    await chat.locator(".code").last().getByRole("button", { name: "Copy" }).click({ timeout: 5_000 });
    await chat.locator(".code").last().getByRole("button", { name: "Copied" }).waitFor({ timeout: 5_000 });
  });
  await becomes(() => window.page.evaluate(() => navigator.clipboard.readText()), "x = 1\ny = 2\n");
  await window.command("Kore: Choose Agent");
  await window.pick("builtin");
});

step("what was always allowed is listed, can be forgotten, and every decision can be read", async () => {
  await prompt("/mode general");
  await window.status("general · idle");
  await prompt("/write a.txt one");
  await chat.locator('.permission button[data-kind="allowAlways"]').click();
  await chat.locator(".changes").last().waitFor();
  await window.command("Kore: Remembered Answers");
  await window.picks.filter({ hasText: "a.txt" }).waitFor();
  await window.shot("3-remembered-dark");
  await window.pick("a.txt");
  await window.toast("Forgotten: write_file").waitFor();
  await window.escape();
  await window.command("Kore: Show Decisions About Agents");
  await window.lines.getByText("asked: allowed from now on").first().waitFor();
  await window.shot("4-decisions-dark");
});

step("a restart is asked about while a turn runs, and stops nothing where it is declined", async () => {
  await prompt("/write b.txt two");
  await chat.locator(".permission").waitFor();
  await window.command("Kore: Restart Server");
  await window.modal("Restart").waitFor();
  await window.shot("5-restart-dark");
  await window.modal("Cancel").click();
  await chat.locator('.permission button[data-kind="allowOnce"]').click();
  await chat.locator(".changes", { hasText: "b.txt" }).waitFor();
  await idle();
  assert.equal(readFileSync(join(folder, "b.txt"), "utf8"), "two");
});

step("prompts wait in line while a turn runs; to stop it gives them back", async () => {
  await prompt("/write c.txt three");
  await chat.locator(".permission").waitFor();
  await prompt("and then this");
  await chat.getByText("1 waiting").waitFor();
  await chat.locator(".stop").click();
  await idle();
  await chat.getByText("1 waiting").waitFor({ state: "hidden" });
  await becomes(() => chat.locator("textarea").inputValue(), "and then this");
  assert.equal(existsSync(join(folder, "c.txt")), false);
  await chat.locator("textarea").fill("");
});

step("a session goes out to a file and comes in again", async () => {
  await window.command("Kore: Export Session");
  await window.answerFile("Export the session", file);
  await window.toast("Exported to").waitFor();
  assert.equal(JSON.parse(readFileSync(file, "utf8")).messages[0].content, "deploy-notes");
  await window.command("Kore: Import Sessions");
  await window.answerFile("Import sessions", file);
  await window.toast("Sessions imported: 1").waitFor();
  await window.rows.nth(1).waitFor();
});

step("sessions are encrypted with a passphrase that is typed twice", async () => {
  await window.command("Kore: Encrypt Sessions");
  await window.answer("Encrypt the sessions", "first pass", "The new passphrase.");
  await window.answer("Encrypt the sessions", "another", "once more");
  await window.page.getByText("The two were not the same").first().waitFor();
  await window.shot("7-encrypt-dark");
  await window.answer("Encrypt the sessions", "first pass", "again, please");
  await window.answer("Encrypt the sessions", "first pass", "once more");
  await window.toast("The sessions are encrypted.").waitFor();
  await becomes(encrypted, true);
  await window.toast("Remember the passphrase").getByRole("button", { name: "Remember" }).click();
});

step("locked they are out of sight, and nobody is asked until they are opened", async () => {
  await window.command("Kore: Lock Encrypted Sessions");
  await window.row("Encrypted and locked").waitFor();
  await chat.getByRole("button", { name: "Unlock the sessions" }).waitFor();
  await chat.getByText("deploy-notes").waitFor({ state: "hidden" });
  await window.lines.getByText("encrypted and locked").waitFor();
  await window.shot("8-locked-dark");
});

step("a passphrase that was remembered opens them when the window comes again", async () => {
  await window.page.reload();
  chat = await window.openChat();
  await window.row("Session 1").first().waitFor();
  assert.equal(await window.toast("are encrypted").count(), 0);
});

step("they get another passphrase, by the one they have, and lose it again", async () => {
  await window.command("Kore: Change Passphrase");
  await window.answer("Another passphrase", "first pass", "The passphrase they have");
  await window.answer("Another passphrase", "second pass", "The new passphrase.");
  await window.answer("Another passphrase", "second pass", "once more");
  await window.toast("another passphrase").waitFor();
  await window.command("Kore: Decrypt Sessions");
  await window.answer("Decrypt the sessions", "first pass", "Their passphrase");
  await window.answer("Decrypt the sessions", "second pass", "The passphrase is wrong");
  await window.toast("not encrypted any more").waitFor();
  await becomes(encrypted, false);
  await window.close();
});

step("a folder that came with somebody's sessions keeps them shut until they are taken over", async () => {
  const cloned = join(DIRECTORY, "cloned");
  cpSync(FOREIGN, cloned, { recursive: true });
  window = await editor.open(cloned);
  await window.showKore();
  await window.row("Made by somebody else").waitFor();
  await window.shot("9-foreign-dark");
  await window.row("Made by somebody else").click();
  await window.modal("Take over").click();
  await window.toast("Sessions taken over: 1").waitFor();
  await window.row("theirs").waitFor();
});

step("the walkthrough opens, shows what each step is about, and ticks those that are done", async () => {
  await window.command("Welcome: Open Walkthrough");
  await window.pick("Get started with Kore");
  await window.page.getByText("Install the server").first().waitFor();
  await window.shows("active Python environment");
  const tick = (title, state) => window.page.locator(".getting-started-step", { hasText: title }).locator(`.codicon-getting-started-step-${state}`).first();
  await tick("Install the server", "checked").waitFor();
  await tick("Begin a session", "checked").waitFor();
  await tick("Find what was said", "unchecked").waitFor();
  await window.shot("10-walkthrough-dark");
});

step("nothing outside of this machine was asked for", () => {
  assert.deepEqual([...editor.outside], []);
});
