// Runs inside the editor's extension host, with the whole API: what no click can show. Writes what it found to a file.
const assert = require("node:assert/strict");
const { renameSync, writeFileSync } = require("node:fs");
const vscode = require("vscode");

const found = {};

async function until(what, condition) {
  for (const end = Date.now() + 60_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 50))) {
    const value = await condition();
    if (value) return value;
  }
  throw new Error(`not in time: ${what}`);
}

const commands = () => vscode.commands.getCommands(true);
const list = async () => (await vscode.commands.executeCommand("kore.session.list", {})).sessions;

/** The agent's answer to a prompt, as messages. */
async function answers(session, prompt) {
  const { sessionId, folder } = { sessionId: session.id, folder: session.folder };
  const { turnId } = await vscode.commands.executeCommand("kore.turn.start", { sessionId, folder, prompt });
  await until(`the end of ${prompt}`, async () => {
    const { turns } = await vscode.commands.executeCommand("kore.turn.list", { sessionId, folder });
    return turns.some((turn) => turn.turnId === turnId && turn.state === "done");
  });
  const { messages } = await vscode.commands.executeCommand("kore.message.list", { sessionId, folder });
  return messages.filter((message) => message.turnId === turnId && message.role === "assistant");
}

const answer = async (session, prompt) => (await answers(session, prompt)).at(-1).content;

const steps = {
  async "it activates without waiting for the server"() {
    const extension = vscode.extensions.getExtension("kore-ls.kore");
    const start = performance.now();
    await extension.activate();
    found.activationMs = Math.round(performance.now() - start);
    await vscode.commands.executeCommand("kore.ui.refresh"); // a folder without sessions has no server until it is used
    await until("the server's commands", async () => (await commands()).includes("kore.session.list"));
    found.serverMs = Math.round(performance.now() - start);
  },
  async "every command of the manifest is there, beside the server's own"() {
    const there = await commands();
    const { contributes } = vscode.extensions.getExtension("kore-ls.kore").packageJSON;
    for (const { command } of contributes.commands) assert.ok(there.includes(command), command);
    assert.ok(there.includes("kore.session.create"));
  },
  async "a session made by the server's command can be read as a document"() {
    const session = await vscode.commands.executeCommand("kore.session.create", { name: "登录接口" });
    await vscode.commands.executeCommand("kore.message.add", { sessionId: session.id, role: "user", content: "限流" });
    const uri = vscode.Uri.from({ scheme: "kore", path: `/${session.id}/name`, query: session.folder });
    const document = await vscode.workspace.openTextDocument(uri);
    assert.match(document.getText(), /^# 登录接口\n[\s\S]*限流/);
    await vscode.commands.executeCommand("kore.message.add", { sessionId: session.id, role: "assistant", content: "好的" });
    await until("the document's new text", () => document.getText().includes("好的"));
  },
  async "an agent asks the editor's own language servers"() {
    const [{ uri: folder }] = vscode.workspace.workspaceFolders;
    const file = vscode.Uri.joinPath(folder, "look.css");
    const css = ":root { --accent: red; }\n.one { color: var(--accent); }\n.two { color: var(--accent); widht: 1px; }\n";
    await vscode.workspace.fs.writeFile(file, Buffer.from(css));
    await vscode.window.showTextDocument(file);
    const session = await vscode.commands.executeCommand("kore.session.create", { name: "bridge" });
    await until("the language server", async () => (await vscode.commands.executeCommand("vscode.executeReferenceProvider", file, new vscode.Position(1, 22)))?.length === 3);
    const references = await answer(session, "/references look.css:2:23");
    assert.equal((references.match(/look\.css:[123]\b/g) ?? []).length, 3);
    const definition = await answer(session, "/definition look.css:2:23");
    assert.match(definition, /look\.css:1\b/);
    const hover = await answer(session, "/hover look.css:2:9");
    assert.match(hover, /color/);
    await until("the diagnostics", () => vscode.languages.getDiagnostics(file).length > 0);
    const diagnostics = await answer(session, "/diagnostics look.css");
    assert.match(diagnostics, /widht/);
    await answer(session, "/rename look.css:2:23 --brand");
    assert.equal(Buffer.from(await vscode.workspace.fs.readFile(file)).toString(), css.replaceAll("--accent", "--brand"));
  },
  async "a model asks the editor for the symbols of a document"() {
    const session = await vscode.commands.executeCommand("kore.session.create", { name: "symbols" });
    await vscode.commands.executeCommand("kore.session.update", { sessionId: session.id, agent: { backend: "model", model: "curious" } });
    const file = vscode.Uri.joinPath(vscode.workspace.workspaceFolders[0].uri, "look.css");
    await until("the language server", async () => (await vscode.commands.executeCommand("vscode.executeDocumentSymbolProvider", file))?.length === 3);
    const [asked] = await answers(session, "what is in it?");
    const [call] = asked.toolCalls;
    assert.equal(call.name, "document_symbols");
    for (const name of [":root", ".one", ".two"]) assert.ok(call.result.text.includes(name), call.result.text);
  },
  async "after a restart the server has other handlers and the same sessions"() {
    const before = await list();
    await vscode.commands.executeCommand("kore.ui.restart");
    await until("the server's commands", async () => (await commands()).includes("kore.session.list"));
    assert.deepEqual((await list()).map(({ id }) => id), before.map(({ id }) => id));
    const made = await vscode.commands.executeCommand("kore.ui.new");
    assert.equal(made.active, true);
  },
};

exports.run = async () => {
  for (const [name, run] of Object.entries(steps)) {
    try {
      await run();
      found[name] = "ok";
    } catch (error) {
      found[name] = String(error?.stack ?? error);
    }
  }
  // Whoever waits for the file finds all of it.
  writeFileSync(`${process.env.KORE_E2E_RESULT}.new`, JSON.stringify(found));
  renameSync(`${process.env.KORE_E2E_RESULT}.new`, process.env.KORE_E2E_RESULT);
};
