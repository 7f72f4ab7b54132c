// `kore:` documents: a session's transcript, read-only, kept up to date while it is open.
// Its language is our own: in Markdown, links that others wrote could be followed, and run commands, and pictures be loaded.
import * as vscode from "vscode";
import type { Message, Session } from "../protocol";
import type { Server } from "../server/server";
import { failureText } from "../server/failures";
import { shortened, visible } from "../text";
import { transcriptOf, type Heading } from "./document";
import { roleName } from "./search";
import { callStatusName } from "./words";

const { t } = vscode.l10n;
const SCHEME = "kore";
const LANGUAGE = "kore-transcript";
const NAME_CHARS = 40;
const REFRESH_MS = 200;
const PAGE = 1000;
/** Enough to read; what is longer is exported. */
const MOST_MESSAGES = 20_000;

export class Transcripts implements vscode.TextDocumentContentProvider, vscode.DocumentSymbolProvider, vscode.Disposable {
  private readonly changes = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changes.event;
  private readonly headings = new Map<string, Heading[]>();
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private readonly subscriptions: vscode.Disposable[];

  constructor(private readonly server: Server) {
    this.subscriptions = [
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
      vscode.languages.registerDocumentSymbolProvider({ scheme: SCHEME }, this),
      server.onEvent((event) => {
        if (event.type === "message.added" || event.type === "session.updated") this.refreshLater((key) => key.sessionId === event.sessionId);
        // What can't be read any more must not stand there any longer.
        if (event.type === "store.locked" || event.type === "store.changed") this.refreshLater((key) => key.folder === event.folder);
      }),
      vscode.workspace.onDidOpenTextDocument((document) => {
        if (document.uri.scheme === SCHEME && document.languageId !== LANGUAGE) void vscode.languages.setTextDocumentLanguage(document, LANGUAGE);
      }),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => {
        if (uri.scheme === SCHEME) this.headings.delete(uri.toString());
      }),
    ];
  }

  async provideTextDocumentContent(uri: vscode.Uri, token: vscode.CancellationToken): Promise<string> {
    const key = readUri(uri);
    try {
      const session = await this.server.request("kore/session/get", key, token);
      const messages = await this.messages(key, token);
      const words = { role: (message: Message) => roleName(message.role), status: callStatusName, input: t("Input"), output: t("Output") };
      const { text, headings } = transcriptOf(visible(session.name), messages, words);
      this.headings.set(uri.toString(), headings);
      return text;
    } catch (error) {
      return failureText(error);
    }
  }

  /** The outline: a line for each message. */
  provideDocumentSymbols(document: vscode.TextDocument): vscode.DocumentSymbol[] {
    const headings = this.headings.get(document.uri.toString()) ?? [];
    return headings.map(({ line, title }, index) => {
      const last = (headings[index + 1]?.line ?? document.lineCount) - 1;
      const range = new vscode.Range(line, 0, Math.max(line, last), 0);
      return new vscode.DocumentSymbol(title, "", vscode.SymbolKind.String, range, new vscode.Range(line, 0, line, 0));
    });
  }

  /** Open the transcript, at a message if one is named. */
  async open(session: Pick<Session, "id" | "folder" | "name">, seq?: number): Promise<void> {
    const known = vscode.workspace.textDocuments.find(({ uri }) => uri.scheme === SCHEME && readUri(uri).sessionId === session.id);
    const uri = known?.uri ?? uriOf(session);
    const document = await vscode.workspace.openTextDocument(uri);
    const line = this.headings.get(uri.toString())?.find((each) => each.seq === seq)?.line;
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
  private refreshLater(meant: (key: { sessionId: string; folder: string }) => boolean): void {
    for (const { uri } of vscode.workspace.textDocuments) {
      const key = uri.toString();
      if (uri.scheme !== SCHEME || !meant(readUri(uri)) || this.timers.has(key)) continue;
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

/** The name is there for the editor's tab; only the id counts. */
function uriOf(session: Pick<Session, "id" | "folder" | "name">): vscode.Uri {
  const name = shortened(visible(session.name), NAME_CHARS).replace(/[\\/]/g, "∕");
  return vscode.Uri.from({ scheme: SCHEME, path: `/${session.id}/${name}`, query: session.folder });
}

function readUri(uri: vscode.Uri): { sessionId: string; folder: string } {
  return { sessionId: uri.path.split("/")[1] ?? "", folder: uri.query };
}
