// A real editor for a test: code-server with the packaged extension, and a browser that shows it.
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { LONG, becomes, retried, still } from "./steps.mjs";

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
  // Or a click on the icon of a view that the window is just restoring would hide it.
  "workbench.activityBar.iconClickBehavior": "focus",
};

const SHORT = { timeout: 5_000 };

/** One installation of the editor with the extension in it, serving folders to browsers until it is closed. */
export class Editor {
  /** `environment` is what its processes find besides ours. */
  static async start(name, { settings = {}, environment = {} } = {}) {
    const home = join(DIRECTORY, name);
    const [data, extensions] = [join(home, "data"), join(home, "extensions")];
    mkdirSync(join(data, "User"), { recursive: true });
    writeFileSync(join(data, "User", "settings.json"), JSON.stringify({ ...SETTINGS, ...settings }));
    learn(data, "zh-cn");
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
      [...common, "--bind-addr", `127.0.0.1:${port}`, "--auth", "none", "--disable-telemetry", "--disable-update-check", "--disable-getting-started-override"],
      { env, stdio: "ignore", detached: true },
    );
    await answering(`http://127.0.0.1:${port}/healthz`, child);
    return new Editor(data, child, port, await chromium.launch({ executablePath: CHROMIUM, args: FLAGS }));
  }

  constructor(data, child, port, browser) {
    Object.assign(this, { data, child, port, browser, outside: new Set() });
  }

  /** A window on the folder, or on the file of a workspace of several; `before`: an earlier window, whose browser remembers; with `tests`, one that runs them in its extension host, with the `extension` of that path. */
  async open(folder, { locale = "en-US", before, extension, tests } = {}) {
    const options = { viewport: { width: 1280, height: 900 }, locale, permissions: ["clipboard-read", "clipboard-write"] };
    const context = before?.context ?? (await this.browser.newContext(options));
    context.setDefaultTimeout(LONG);
    await before?.page.close();
    // Where the editor keeps the language that its user chose; it is read with each page.
    writeFileSync(join(this.data, "User", "argv.json"), JSON.stringify({ locale: locale === "en-US" ? "en" : locale.toLowerCase() }));
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
    await page.locator(".monaco-workbench").waitFor();
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

/** A browser page with the workbench, and what a user does in it. Whatever is waited for, is waited for LONG. */
export class Window {
  constructor(page, context) {
    Object.assign(this, { page, context });
    this.rows = page.locator(".sidebar .pane-body .monaco-list-row");
    this.box = page.locator(".quick-input-widget:not([style*='display: none'])");
    this.input = this.box.locator("input");
    this.picks = this.box.locator(".quick-input-list .monaco-list-row");
    this.chatFrame = page.locator('iframe.webview[src*="extensionId=kore-ls.kore"]');
    // Found anew for each use: the editor makes its page again as it likes.
    this.chat = this.chatFrame.contentFrame().locator("#active-frame").contentFrame();
  }

  /** Wait until the status bar says this. */
  status(text, timeout = LONG) {
    return this.page.locator(".statusbar-item", { hasText: text }).waitFor({ timeout });
  }

  /** The chat, once it can be written to. */
  async openChat() {
    await this.showKore();
    await this.chat.locator("textarea").waitFor();
    return this.chat;
  }

  async showKore() {
    await this.page.locator('.activitybar a[aria-label="Kore"]').click();
    await this.page.locator(".sidebar .composite.title", { hasText: "Kore" }).waitFor();
  }

  row(text) {
    return this.rows.filter({ hasText: text });
  }

  /** Wait until these are the sessions, and the folders, of the side bar: the beginnings of their rows. */
  list(...beginnings) {
    const begun = (text, index) => (text.startsWith(beginnings[index] ?? "\0") ? beginnings[index] : text);
    return becomes(async () => (await this.rows.allInnerTexts()).map((text) => text.trim()).map(begun), beginnings);
  }

  /** Wait until the chat has the focus: what leads to a session ends with it, and what was opened before is closed by it. */
  inChat() {
    return becomes(() => this.chatFrame.evaluateAll((frames) => frames.includes(document.activeElement)), true);
  }

  /** Press the button that the row of a session has while the pointer is on it. A row that is drawn anew forgets the pointer. */
  press(text, button) {
    const row = this.row(text).first();
    return retried(`${button} in the row of ${text}`, async () => {
      await this.page.mouse.move(0, 0);
      await row.hover(SHORT);
      await row.locator(`.action-label[aria-label^="${button}"]`).click(SHORT);
    });
  }

  /** Run a command from the palette, by its title. */
  command(title) {
    return this.palette(`>${title}`, title);
  }

  /** Open a file by its name, and give its editor the focus. */
  async openFile(name) {
    await this.palette(name, name);
    await this.page.locator(".tab.active", { hasText: name }).waitFor();
    await this.enterEditor();
  }

  /** Type into the palette, and take what it offers first. Keys are lost, or it is closed again, while the focus is on its way elsewhere. */
  async palette(text, offered) {
    await retried(`the palette with ${offered}`, async () => {
      const first = await this.offered(text, offered);
      await this.input.press("Enter", SHORT);
      await first.waitFor({ ...SHORT, state: "hidden" });
    });
  }

  async offered(text, offered) {
    const first = this.box.locator(".quick-input-list .monaco-list-row.focused", { hasText: offered });
    await this.page.keyboard.press("F1");
    await this.input.waitFor(SHORT);
    await this.input.fill(text, SHORT);
    await first.waitFor(SHORT);
    return first;
  }

  /** Close what was opened to choose from. */
  escape() {
    return retried("the end of a list", async () => {
      if (!(await this.box.isVisible())) return;
      await this.input.press("Escape", SHORT);
      await this.box.waitFor({ ...SHORT, state: "hidden" });
    });
  }

  /** What the open editor shows. */
  get lines() {
    return this.page.locator(".editor-instance .view-lines").first();
  }

  /** Give the open editor the focus: by a click on what is seen of it. All its lines are one element, larger than any screen. */
  enterEditor() {
    return this.page.locator(".editor-instance .overflow-guard").first().click();
  }

  /** The button of a question that keeps all else from going on. */
  modal(name) {
    return this.page.locator(".monaco-dialog-box").getByRole("button", { name });
  }

  async type(text) {
    await this.input.fill(text);
  }

  /** The box that has this title. */
  titled(title) {
    return this.box.filter({ has: this.page.locator(".quick-input-title", { hasText: title }) });
  }

  /** Answer the input box that has this title, and says this where it is given, once it is the one that is open. */
  async answer(title, text, says = "") {
    const box = this.titled(title).filter({ hasText: says });
    await box.waitFor();
    await this.input.fill(text);
    await this.input.press("Enter");
    // What opens over it before it is closed would close it unanswered.
    await box.waitFor({ state: "hidden" });
  }

  /** Name a file in the dialog with this title. While it lists a directory it forgets what is typed, or takes it for a part of a path. */
  async answerFile(title, path) {
    const box = this.titled(title);
    const listed = async () => {
      await box.locator(".monaco-progress-container.active").waitFor({ state: "hidden" });
      return still(() => this.input.inputValue(SHORT));
    };
    await box.waitFor();
    await retried(`the end of the dialog ${title}`, async () => {
      if (!(await box.isVisible())) return;
      await listed();
      await this.input.fill(path, SHORT);
      if ((await listed()) !== path) throw new Error("it says something else");
      await this.input.press("Enter", SHORT);
      await box.waitFor({ ...SHORT, state: "hidden" });
    });
  }

  async pick(text) {
    await this.picks.filter({ hasText: text }).first().click();
  }

  toast(text) {
    return this.page.locator(".notifications-toasts .notification-list-item", { hasText: text });
  }

  /** Wait until any page within the window shows this. */
  shows(text) {
    const shown = (frame) => frame.getByText(text).count().catch(() => 0);
    return becomes(async () => (await Promise.all(this.page.frames().map(shown))).some(Boolean), true, `a page with ${text}`);
  }

  async shot(name) {
    await this.page.screenshot({ path: join(DIRECTORY, `${name}.png`) });
  }

  close() {
    return this.context.close();
  }
}

/** Gives the editor one more language, by a language pack without words: its own words stay English, ours do not. */
function learn(data, locale) {
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
