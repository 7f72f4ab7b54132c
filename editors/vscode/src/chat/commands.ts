// Commands about the chat: open it, ask about the selection, stop, transcript.
import * as vscode from "vscode";
import { showFailure } from "../server/failures";
import { asSession } from "../sessions/commands";
import type { Library } from "../sessions/library";
import type { Transcripts } from "../sessions/transcript";
import type { Node } from "../sessions/tree";
import type { PromptContext } from "./conversation";
import { CHAT_VIEW, type ChatView } from "./view";

export class ChatCommands {
  constructor(
    private readonly library: Library,
    private readonly chat: ChatView,
    private readonly transcripts: Transcripts,
  ) {}

  register(): vscode.Disposable {
    const table: Record<string, (target?: Node) => Promise<unknown>> = {
      chat: async () => vscode.commands.executeCommand(`${CHAT_VIEW}.focus`),
      ask: () => this.ask(),
      stop: (target) => this.stop(target),
      transcript: (target) => this.transcript(target),
    };
    return vscode.Disposable.from(
      ...Object.entries(table).map(([name, run]) =>
        vscode.commands.registerCommand(`kore.ui.${name}`, (target?: Node) => run(target).catch(showFailure)),
      ),
    );
  }

  /** The selection goes with the prompt; its text only where the file on disk does not have it. */
  private async ask(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (!editor) return;
    const { document, selection } = editor;
    const folder = vscode.workspace.getWorkspaceFolder(document.uri);
    if (folder) this.library.choose(folder.uri.toString());
    const prompt = await vscode.window.showInputBox({ title: vscode.l10n.t("What do you want to know about the selection?") });
    if (!prompt?.trim()) return;
    const { start, end } = selection;
    const context: PromptContext = {
      uri: document.uri.toString(),
      ...(selection.isEmpty ? {} : { range: { start, end } }),
      ...(document.isDirty ? { text: document.getText(selection.isEmpty ? undefined : selection) } : {}),
    };
    await this.chat.ask(prompt, [context]);
  }

  private async stop(target: Node | undefined): Promise<void> {
    const session = asSession(target);
    if (!session) return this.chat.stop();
    await this.library.server.request("kore/turn/cancel", { sessionId: session.id, folder: session.folder });
  }

  private async transcript(target: Node | undefined): Promise<void> {
    const session = asSession(target) ?? this.library.session;
    if (session) await this.transcripts.open(session);
  }
}
