// `kore:` documents: a session's transcript, read-only, kept up to date while it is open.
import * as vscode from "vscode";
import type { Message, Session } from "../protocol";
import type { Server } from "../server/server";
import { failureText } from "../server/failures";
import { visible } from "../text";
import { transcriptOf } from "./document";
import { roleName } from "./search";

const SCHEME = "kore";
const REFRESH_MS = 200;
const PAGE = 1000;
/** Enough to read; what is longer is exported. */
const MOST_MESSAGES = 20_000;

export class Transcripts implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly changes = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changes.event;
  private readonly lines = new Map<string, Map<number, number>>();
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private readonly subscriptions: vscode.Disposable[];

  constructor(private readonly server: Server) {
    this.subscriptions = [
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
      server.onEvent((event) => {
        if (event.type === "message.added" || event.type === "session.updated") this.refreshLater(event.sessionId);
      }),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => {
        if (uri.scheme === SCHEME) this.lines.delete(uri.toString());
      }),
    ];
  }

  async provideTextDocumentContent(uri: vscode.Uri, token: vscode.CancellationToken): Promise<string> {
    const key = readUri(uri);
    try {
      const session = await this.server.request("kore/session/get", key, token);
      const messages = await this.messages(key, token);
      const { text, lines } = transcriptOf(visible(session.name), messages, (message) => roleName(message.role));
      this.lines.set(uri.toString(), lines);
      return text;
    } catch (error) {
      return failureText(error);
    }
  }

  /** Open the transcript, at a message if one is named. */
  async open(session: { id: string; folder: string }, seq?: number): Promise<void> {
    const uri = uriOf(session);
    const document = await vscode.languages.setTextDocumentLanguage(await vscode.workspace.openTextDocument(uri), "markdown");
    const line = seq === undefined ? undefined : this.lines.get(uri.toString())?.get(seq);
    const place = line === undefined ? undefined : new vscode.Range(line, 0, line, 0);
    await vscode.window.showTextDocument(document, { preview: true, ...(place ? { selection: place } : {}) });
  }

  private async messages(key: { sessionId: string; folder: string }, token: vscode.CancellationToken): Promise<Message[]> {
    const messages: Message[] = [];
    for (let more = true; more && messages.length < MOST_MESSAGES && !token.isCancellationRequested; ) {
      const page = await this.server.request("kore/message/list", { ...key, afterSeq: messages.at(-1)?.seq ?? 0, limit: PAGE }, token);
      messages.push(...page.messages);
      more = page.hasMore && page.messages.length > 0;
    }
    return messages;
  }

  /** Quick changes are gathered: an editor drops some of them. */
  private refreshLater(sessionId: string | undefined): void {
    for (const { uri } of vscode.workspace.textDocuments) {
      const key = uri.toString();
      if (uri.scheme !== SCHEME || readUri(uri).sessionId !== sessionId || this.timers.has(key)) continue;
      this.timers.set(key, setTimeout(() => {
        this.timers.delete(key);
        this.changes.fire(uri);
      }, REFRESH_MS));
    }
  }

  dispose(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    for (const each of this.subscriptions) each.dispose();
    this.changes.dispose();
  }
}

function uriOf(session: Pick<Session, "id" | "folder">): vscode.Uri {
  return vscode.Uri.from({ scheme: SCHEME, path: `/${session.id}.md`, query: session.folder });
}

function readUri(uri: vscode.Uri): { sessionId: string; folder: string } {
  return { sessionId: uri.path.slice(1).replace(/\.md$/, ""), folder: uri.query };
}
