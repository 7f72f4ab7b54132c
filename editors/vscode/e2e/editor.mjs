// A real editor for a test: code-server with the packaged extension, and a browser that shows it.
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { chromium } from "playwright-core";

export const LONG = Number(process.env.KORE_E2E_PATIENCE ?? 90_000);

/** Where the programs are and where this run may write; told by whoever starts the test. */
const { KORE_E2E_DIR: DIRECTORY, KORE_E2E_CODE_SERVER: CODE_SERVER, KORE_E2E_CHROMIUM: CHROMIUM, KORE_E2E_VSIX: VSIX } = process.env;

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

const SETTINGS = {
  "security.workspace.trust.enabled": false,
  "workbench.startupEditor": "none",
  "telemetry.telemetryLevel": "off",
  "extensions.autoCheckUpdates": false,
  "extensions.autoUpdate": false,
  "update.mode": "none",
  "workbench.enableExperiments": false,
  "workbench.tips.enabled": false,
  "chat.commandCenter.enabled": false,
  "git.enabled": false,
  "workbench.secondarySideBar.defaultVisibility": "hidden",
};

/** One installation of the editor with the extension in it, serving folders to browsers until it is closed. */
export class Editor {
  /** `environment` is what its processes find besides ours. */
  static async start(name, { settings = {}, locale = "en", environment = {} } = {}) {
    const home = join(DIRECTORY, name);
    const [data, extensions] = [join(home, "data"), join(home, "extensions")];
    mkdirSync(join(data, "User"), { recursive: true });
    writeFileSync(join(data, "User", "settings.json"), JSON.stringify({ ...SETTINGS, ...settings }));
    if (locale !== "en") speak(data, locale);
    const entry = join(CODE_SERVER, "node_modules/code-server/out/node/entry.js");
    const common = [entry, "--config", "/dev/null", "--user-data-dir", data, "--extensions-dir", extensions];
    const env = {
      ...process.env, HOME: home, XDG_CONFIG_HOME: join(home, "config"),
      // Or a login shell would set the search path anew.
      VSCODE_CLI: "1",
      EXTENSIONS_GALLERY: '{"serviceUrl":"","itemUrl":"","resourceUrlTemplate":""}',
      ...environment,
    };
    await finished(spawn(process.execPath, [...common, "--install-extension", VSIX], { env, stdio: "ignore" }));
    const port = await freePort();
    const child = spawn(
      process.execPath,
      [...common, "--bind-addr", `127.0.0.1:${port}`, "--auth", "none", "--disable-telemetry", "--disable-update-check", "--disable-getting-started-override", "--locale", locale],
      { env, stdio: "ignore", detached: true },
    );
    await answering(`http://127.0.0.1:${port}/healthz`, child);
    return new Editor(child, port, await chromium.launch({ executablePath: CHROMIUM, args: FLAGS }));
  }

  constructor(child, port, browser) {
    Object.assign(this, { child, port, browser, outside: new Set() });
  }

  /** A window on the folder, or on the file of a workspace of several; with `tests`, one that runs them in its extension host, with the `extension` of that path. */
  async open(folder, { locale = "en-US", extension, tests } = {}) {
    const context = await this.browser.newContext({ viewport: { width: 1280, height: 900 }, locale, permissions: ["clipboard-read", "clipboard-write"] });
    const page = await context.newPage();
    page.on("request", (request) => {
      const { hostname } = new URL(request.url());
      if (!["127.0.0.1", ""].includes(hostname) && !hostname.endsWith("vscode-cdn.net")) this.outside.add(hostname);
    });
    const what = folder.endsWith(".code-workspace") ? "workspace" : "folder";
    let address = `http://127.0.0.1:${this.port}/?${what}=${encodeURIComponent(folder)}`;
    if (tests) {
      const remote = `vscode-remote://127.0.0.1:${this.port}`;
      const payload = [["extensionDevelopmentPath", `${remote}${extension}`], ["extensionTestsPath", `${remote}${tests}`]];
      address += `&payload=${encodeURIComponent(JSON.stringify(payload))}`;
      await page.exposeFunction("codeAutomationLog", () => undefined);
      await page.exposeFunction("codeAutomationExit", () => undefined);
    }
    await page.goto(address);
    await page.locator(".monaco-workbench").waitFor({ timeout: LONG });
    return new Window(page, context);
  }

  async close() {
    await this.browser.close();
    const gone = new Promise((resolve) => this.child.once("exit", resolve));
    // Its process group: the editor's own server, the extension's host and what that started.
    process.kill(-this.child.pid, "SIGTERM");
    await gone;
  }
}

/** A browser page with the workbench, and what a user does in it. */
export class Window {
  constructor(page, context) {
    Object.assign(this, { page, context });
    this.rows = page.locator(".sidebar .pane-body .monaco-list-row");
    this.input = page.locator(".quick-input-widget:not([style*='display: none']) input");
    this.picks = page.locator(".quick-input-list .monaco-list-row");
  }

  /** Wait until the status bar says this. */
  status(text) {
    return this.page.locator(".statusbar-item", { hasText: text }).waitFor({ timeout: LONG });
  }

  /** The frame of the chat, once it can be written to. */
  async openChat() {
    await this.showKore();
    const chat = await this.chat();
    await chat.locator("textarea").waitFor({ timeout: LONG });
    return chat;
  }

  async showKore() {
    const icon = this.page.locator('.activitybar a[aria-label="Kore"]');
    await icon.waitFor({ timeout: LONG });
    // A second click would hide it.
    if (!(await this.page.locator('.sidebar .composite.title', { hasText: "Kore" }).count())) await icon.click();
  }

  row(text) {
    return this.rows.filter({ hasText: text });
  }

  /** Run a command from the palette, by its title. */
  async command(title) {
    await this.palette(`>${title}`, title);
    await this.page.keyboard.press("Enter");
  }

  /** Open a file by its name, and give its editor the focus. */
  async openFile(name) {
    await this.palette(name, name);
    await this.page.keyboard.press("Enter");
    await this.page.locator(".tab.active", { hasText: name }).waitFor({ timeout: LONG });
    await this.lines.click({ timeout: LONG });
  }

  /** Type into the palette until it offers this. Its key is lost, or it is closed again, while the focus is on its way elsewhere. */
  async palette(text, offered) {
    const short = { timeout: 5_000 };
    for (const end = Date.now() + LONG; Date.now() < end; ) {
      await this.page.keyboard.press("F1");
      const open = this.input.waitFor(short).then(() => this.input.fill(text, short)).then(() => this.picks.filter({ hasText: offered }).first().waitFor(short));
      if (await open.then(() => true, () => false)) return;
    }
    throw new Error(`the palette did not offer ${offered}`);
  }

  /** What the open editor shows. */
  get lines() {
    return this.page.locator(".editor-instance .view-lines").first();
  }

  /** The button of a question that keeps all else from going on. */
  modal(name) {
    return this.page.locator(".monaco-dialog-box").getByRole("button", { name });
  }

  async type(text) {
    await this.input.waitFor({ timeout: LONG });
    await this.input.fill(text);
  }

  /** Answer the input box that has this title, and says this where it is given, once it is the one that is open. */
  async answer(title, text, says = "") {
    const box = this.page.locator(".quick-input-widget:not([style*='display: none'])").filter({ has: this.page.locator(".quick-input-title", { hasText: title }) });
    await box.filter({ hasText: says }).waitFor({ timeout: LONG });
    await this.input.fill(text);
    await this.page.keyboard.press("Enter");
    // What opens over it before it is closed would close it unanswered.
    await box.filter({ hasText: says }).waitFor({ state: "hidden", timeout: LONG });
  }

  /** Name a file in the dialog with this title; until it has listed its directory it forgets what was typed. */
  async answerFile(title, path) {
    const box = this.page.locator(".quick-input-widget:not([style*='display: none'])").filter({ has: this.page.locator(".quick-input-title", { hasText: title }) });
    await box.waitFor({ timeout: LONG });
    for (const end = Date.now() + LONG; Date.now() < end; ) {
      await this.input.fill(path);
      await this.page.keyboard.press("Enter");
      if (await box.waitFor({ state: "hidden", timeout: 5_000 }).then(() => true, () => false)) return;
    }
    throw new Error("the dialog stayed open");
  }

  async pick(text) {
    await this.picks.filter({ hasText: text }).first().click({ timeout: LONG });
  }

  toast(text) {
    return this.page.locator(".notifications-toasts .notification-list-item", { hasText: text });
  }

  /** The frame that holds the chat. */
  async chat() {
    for (const end = Date.now() + LONG; Date.now() < end; ) {
      for (const frame of this.page.frames()) {
        if (await frame.locator("#kore-chat").count().catch(() => 0)) return frame;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error("the chat view did not come up");
  }

  /** Wait until any page within the window shows this. */
  async shows(text) {
    for (const end = Date.now() + LONG; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 100))) {
      for (const frame of this.page.frames()) if (await frame.getByText(text).count().catch(() => 0)) return;
    }
    throw new Error(`nothing shows ${text}`);
  }

  async shot(name) {
    await this.page.screenshot({ path: join(DIRECTORY, `${name}.png`) });
  }

  close() {
    return this.context.close();
  }
}

/** Makes the editor's language another one, by a language pack without words: its own words stay English, ours do not. */
function speak(data, locale) {
  const words = join(data, "words.json");
  writeFileSync(words, JSON.stringify({ contents: {} }));
  writeFileSync(join(data, "languagepacks.json"), JSON.stringify({ [locale]: { hash: "none", extensions: [{ extensionIdentifier: { id: "test.words" }, version: "1.0.0" }], translations: { vscode: words }, label: locale } }));
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function answering(address, child) {
  let ended = false;
  child.once("exit", () => (ended = true));
  for (const end = Date.now() + LONG; Date.now() < end && !ended; ) {
    if ((await fetch(address).catch(() => undefined))?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("the editor's server did not start");
}

function finished(child) {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`exit code ${code}`))));
  });
}
