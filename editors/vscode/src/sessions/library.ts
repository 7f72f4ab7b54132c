// Keeps the book of sessions in step with the server, and knows which folder and session the user is in.
import * as vscode from "vscode";
import type { Session } from "../protocol";
import { errorKind } from "../server/contract";
import type { Server } from "../server/server";
import { Single } from "../server/single";
import { visible } from "../text";
import { Book, type Shelf } from "./book";

const PAGE = 100;

export class Library implements vscode.Disposable {
  readonly book = new Book();
  private readonly changes = new vscode.EventEmitter<void>();
  /** Anything about any session changed. */
  readonly onChange = this.changes.event;

  private readonly loading = new Single(() => this.load());
  private readonly subscriptions: vscode.Disposable[];
  private chosen: string | undefined;

  constructor(readonly server: Server) {
    this.subscriptions = [
      server.onState((state) => (state === "running" ? void this.refresh() : this.changes.fire())),
      server.onEvent((event) => {
        const effect = this.book.apply(event);
        if (effect === "reload" || event.type === "turn.finished") void this.refresh();
        else if (effect === "changed") this.changes.fire();
      }),
      vscode.workspace.onDidChangeWorkspaceFolders(() => void this.refresh()),
      vscode.window.onDidChangeActiveTextEditor((editor) => this.follow(editor)),
      vscode.window.onDidChangeTextEditorSelection(({ textEditor, kind }) => {
        // Without a kind it was no user who moved.
        if (kind !== undefined && textEditor === vscode.window.activeTextEditor) this.follow(textEditor);
      }),
    ];
    this.follow(vscode.window.activeTextEditor);
  }

  get folders(): readonly vscode.WorkspaceFolder[] {
    return vscode.workspace.workspaceFolders ?? [];
  }

  /** The folder the user works in: the one of the last looked at editor or session, else the first. */
  get folder(): string | undefined {
    const known = this.folders.map((each) => each.uri.toString());
    return known.find((each) => each === this.chosen) ?? known[0];
  }

  /** The active session of the user's folder. */
  get session(): Session | undefined {
    return this.folder === undefined ? undefined : this.book.active(this.folder);
  }

  get shelves(): Shelf[] {
    return this.folders.flatMap((each) => this.book.shelf(each.uri.toString()) ?? []);
  }

  /** Fit to be shown: whoever made the folder named it. */
  folderName(uri: string): string {
    return visible(this.folders.find((each) => each.uri.toString() === uri)?.name ?? "");
  }

  /** A session's name, with its folder's where several are open. */
  fullName(session: Session | undefined): string | undefined {
    return session && this.folders.length > 1 ? `${this.folderName(session.folder)} · ${session.name}` : session?.name;
  }

  choose(folder: string): void {
    if (folder === this.chosen) return;
    this.chosen = folder;
    this.changes.fire();
  }

  refresh(): Promise<void> {
    return this.loading.run();
  }

  async more(folder: string): Promise<void> {
    const cursor = this.book.shelf(folder)?.nextCursor;
    if (!cursor) return;
    this.book.expect(folder);
    const page = await this.server.request("kore/session/list", { folder, limit: PAGE, cursor });
    this.book.readMore(folder, page.sessions, page.nextCursor, page.damaged);
    this.changes.fire();
  }

  private async load(): Promise<void> {
    if (this.server.state !== "running") return;
    const folders = this.folders.map((each) => each.uri.toString());
    this.book.keep(folders);
    for (const folder of folders) {
      try {
        await this.read(folder, this.book.shelf(folder)?.sessions.length ?? 0);
      } catch (error) {
        this.book.trouble(folder, errorKind(error) ?? "internal");
      }
    }
    this.changes.fire();
  }

  /** Read the folder anew, as far as it was shown before. */
  private async read(folder: string, shown: number): Promise<void> {
    this.book.expect(folder);
    let page = await this.server.request("kore/session/list", { folder, limit: PAGE });
    const [sessions, damaged] = [[...page.sessions], [...(page.damaged ?? [])]];
    while (page.nextCursor && sessions.length < shown) {
      page = await this.server.request("kore/session/list", { folder, limit: PAGE, cursor: page.nextCursor });
      sessions.push(...page.sessions);
      damaged.push(...(page.damaged ?? []));
    }
    this.book.read(folder, sessions, page.nextCursor, damaged);
  }

  private follow(editor: vscode.TextEditor | undefined): void {
    const folder = editor && vscode.workspace.getWorkspaceFolder(editor.document.uri);
    if (folder) this.choose(folder.uri.toString());
  }

  dispose(): void {
    for (const each of this.subscriptions) each.dispose();
    this.changes.dispose();
  }
}
