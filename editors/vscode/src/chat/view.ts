// The chat view in the side bar: its page, and what the page may ask for. Whatever the page says is read with distrust.
import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import { failureText, showFailure } from "../server/failures";
import type { Library } from "../sessions/library";
import type { Transcripts } from "../sessions/transcript";
import { Conversation, type PromptContext } from "./conversation";
import { openable, readViewMessage, type HostMessage, type ViewMessage } from "./messages";
import { chatPage } from "./page";
import { askRewind } from "./rewind";
import type { Permissions } from "./permissions";
import { chatStrings } from "./strings";

export const CHAT_VIEW = "kore.chat";

export class ChatView implements vscode.WebviewViewProvider, vscode.Disposable {
  private view: vscode.WebviewView | undefined;
  private ready = false;
  private reveal: { sessionId: string; seq: number | undefined } | undefined;
  private last = "";
  private readonly conversation: Conversation;
  private readonly subscriptions: vscode.Disposable[];
  permissions: Permissions | undefined;

  constructor(
    private readonly assets: vscode.Uri,
    private readonly library: Library,
    private readonly transcripts: Transcripts,
  ) {
    this.conversation = new Conversation(library, (message) => this.post(message));
    this.subscriptions = [
      library.onChange(() => this.followLibrary()),
      library.server.onState((state) => {
        if (state !== "starting") this.followLibrary(true);
      }),
      library.server.onEvent((event) => this.conversation.follow(event)),
    ];
  }

  /** Whether the user sees the session's chat. */
  sees(sessionId: string): boolean {
    return this.view?.visible === true && this.conversation.sessionId === sessionId;
  }

  resolveWebviewView(view: vscode.WebviewView): void {
    this.view = view;
    this.ready = false;
    this.library.server.use();
    const { webview } = view;
    webview.options = { enableScripts: true, localResourceRoots: [this.assets] };
    webview.html = chatPage({
      source: webview.cspSource,
      script: String(webview.asWebviewUri(vscode.Uri.joinPath(this.assets, "main.js"))),
      style: String(webview.asWebviewUri(vscode.Uri.joinPath(this.assets, "style.css"))),
      nonce: randomBytes(18).toString("base64url"),
      language: vscode.env.language,
    });
    webview.onDidReceiveMessage((value: unknown) => {
      const message = readViewMessage(value);
      if (message) void this.obey(message).catch(showFailure);
    });
    view.onDidDispose(() => {
      if (this.view !== view) return;
      this.view = undefined;
      this.ready = false;
    });
  }

  /** Bring the chat up with this session, at a message if one is named. */
  async open(session: { id: string; folder: string }, seq?: number): Promise<void> {
    this.reveal = { sessionId: session.id, seq };
    await vscode.commands.executeCommand(`${CHAT_VIEW}.focus`);
    this.followLibrary(true);
  }

  /** Send a prompt from elsewhere in the editor. */
  async ask(prompt: string, context: PromptContext[]): Promise<void> {
    await vscode.commands.executeCommand(`${CHAT_VIEW}.focus`);
    this.followLibrary();
    await this.conversation.send(prompt, context);
  }

  async stop(): Promise<void> {
    const dropped = await this.conversation.stop();
    if (dropped) this.post({ type: "refused", prompt: dropped, text: "" });
  }

  showPermissions(): void {
    const { sessionId } = this.conversation;
    this.post({ type: "permissions", requests: sessionId === undefined ? [] : (this.permissions?.of(sessionId) ?? []) });
  }

  /** Show the active session of the user's folder, if it is not the one that is shown. */
  private followLibrary(again = false): void {
    if (!this.ready) return;
    const { session, folder, server, book } = this.library;
    const wanted = [server.state, folder, session?.id, folder === undefined ? "" : book.shelf(folder)?.trouble].join("\n");
    if (wanted === this.last && !again) return;
    this.last = wanted;
    const seq = session && this.reveal?.sessionId === session.id ? this.reveal.seq : undefined;
    if (session && this.reveal?.sessionId === session.id) this.reveal = undefined;
    const key = session && server.state === "running" ? { sessionId: session.id, folder: session.folder } : undefined;
    void this.conversation.show(key, seq).then(() => this.showPermissions());
  }

  private async obey(message: ViewMessage): Promise<void> {
    switch (message.type) {
      case "ready":
        this.ready = true;
        this.post({ type: "setup", strings: chatStrings() });
        return this.followLibrary(true);
      case "send": return this.send(message.prompt);
      case "stop": return this.stop();
      case "older":
      case "newer": return this.conversation.page(message.type, message.seq);
      case "latest":
      case "again": return this.followLibrary(true);
      case "copy": return void (await vscode.env.clipboard.writeText(message.text));
      case "insert": return this.insert(message.text);
      case "link": return this.openLink(message.target);
      case "file": return this.openFile(message.path);
      case "fork": return this.fork(message.messageId);
      case "edit": return this.rewind(message.messageId, false);
      case "regenerate": return this.rewind(message.messageId, true);
      case "answer": return this.permissions?.answer(message.requestId, message.optionId, message.feedback);
      case "preview": return this.conversation.preview(message.turnId);
      case "revert": return this.conversation.revert(message.turnId);
      case "takeOffer": return this.conversation.offer.take();
      case "transcript": return this.library.session && this.transcripts.open(this.library.session);
      case "command": return void (await vscode.commands.executeCommand(message.command));
    }
  }

  /** A prompt that is refused goes back into its box. */
  private async send(prompt: string): Promise<void> {
    if (!prompt.trim()) return;
    try {
      await this.conversation.send(prompt);
    } catch (error) {
      this.post({ type: "refused", prompt, text: failureText(error) });
    }
  }

  private async insert(text: string): Promise<void> {
    const editor = vscode.window.activeTextEditor ?? vscode.window.visibleTextEditors.find(({ document }) => document.uri.scheme === "file");
    if (editor) await editor.edit((edit) => edit.replace(editor.selection, text));
    else void vscode.window.showInformationMessage(vscode.l10n.t("Open a file first."));
  }

  private async openLink(target: string): Promise<void> {
    const address = openable(target);
    if (address) await vscode.env.openExternal(vscode.Uri.parse(address, true));
  }

  /** Open a file that a turn changed: only one inside the session's folder. */
  private async openFile(path: string): Promise<void> {
    const folder = this.library.folder;
    if (folder === undefined) return;
    const root = vscode.Uri.parse(folder);
    const uri = path.startsWith("/") ? vscode.Uri.joinPath(root.with({ path: "/" }), path) : vscode.Uri.joinPath(root, path);
    if (vscode.workspace.getWorkspaceFolder(uri)) await vscode.window.showTextDocument(uri, { preview: true });
  }

  /** Take a prompt back into its box, or have it answered anew. */
  private async rewind(messageId: string, again: boolean): Promise<void> {
    const prompt = await this.conversation.rewind(messageId, (would) => askRewind(would, again));
    if (prompt === undefined) return;
    if (again) await this.send(prompt);
    else this.post({ type: "refused", prompt, text: "" });
  }

  private async fork(messageId: string): Promise<void> {
    const copy = await this.conversation.fork(messageId);
    if (copy) await vscode.commands.executeCommand("kore.ui.open", copy);
  }

  private post(message: HostMessage): void {
    if (this.ready) void this.view?.webview.postMessage(message);
  }

  dispose(): void {
    for (const each of this.subscriptions) each.dispose();
  }
}
