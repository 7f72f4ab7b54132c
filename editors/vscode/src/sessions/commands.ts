// What the user can do to sessions. Each command takes a session from the tree, or asks which one, or means the active one.
import * as vscode from "vscode";
import type { Session } from "../protocol";
import { showFailure } from "../server/failures";
import { plain } from "../text";
import type { Library } from "./library";
import { pickAction, pickDeleted, pickFolder, pickMode, pickSession } from "./picks";
import { searchSessions, type Jump } from "./search";
import type { Node } from "./tree";

const { t } = vscode.l10n;
const MAX_NAME = 200;

export type Target = Session | Node | undefined;
/** The session a command is about: the row's, else the active one, else one that the user picks. */
export type Meant = (target: Target, question: string) => Promise<Session | undefined>;

export class SessionCommands {
  constructor(
    private readonly library: Library,
    private readonly jump: Jump,
  ) {}

  register(): vscode.Disposable {
    const table: Record<string, (target: Target) => Promise<unknown> | void> = {
      new: (target) => this.create(target),
      open: (target) => this.open(target),
      switch: () => this.open(undefined),
      search: () => searchSessions(this.library, this.jump),
      mode: (target) => this.mode(target),
      actions: () => this.actions(),
      rename: (target) => this.rename(target),
      fork: (target) => this.fork(target),
      pin: (target) => this.update(target, { pinned: true }),
      unpin: (target) => this.update(target, { pinned: false }),
      pause: (target) => this.step(target, "kore/session/pause"),
      resume: (target) => this.step(target, "kore/session/resume"),
      close: (target) => this.step(target, "kore/session/close"),
      delete: (target) => this.remove(target),
      restore: () => this.restore(),
      export: (target) => this.export(target),
      import: () => this.import(),
      copyId: (target) => this.copyId(target),
      refresh: () => this.refresh(),
      more: (target) => (target ? this.library.more(target.folder) : undefined),
    };
    return vscode.Disposable.from(
      ...Object.entries(table).map(([name, run]) =>
        vscode.commands.registerCommand(`kore.ui.${name}`, async (target?: Target) => {
          try {
            return await run(target);
          } catch (error) {
            void showFailure(error);
            return undefined;
          }
        }),
      ),
    );
  }

  private async refresh(): Promise<void> {
    this.library.server.use();
    await this.library.refresh();
  }

  private async create(target: Target): Promise<Session | undefined> {
    const folder = target?.folder ?? (await pickFolder(this.library));
    if (folder === undefined) return undefined;
    const session = await this.library.server.request("kore/session/create", { folder });
    this.library.choose(folder);
    await this.jump(session);
    return session;
  }

  private async open(target: Target): Promise<void> {
    const session = asSession(target) ?? (await pickSession(this.library, t("Switch to a session")));
    if (session) await this.jump(session);
  }

  private async mode(target: Target): Promise<void> {
    const session = await this.meant(target, t("Change the mode of which session?"));
    const mode = session && (await pickMode(session.mode, t("What may the agent do?")));
    if (session && mode) await this.library.server.request("kore/session/update", { ...keyOf(session), mode });
  }

  private async actions(): Promise<void> {
    const command = await pickAction(this.library);
    if (command) await vscode.commands.executeCommand(command);
  }

  private async rename(target: Target): Promise<void> {
    const session = await this.meant(target, t("Rename which session?"));
    if (!session) return;
    const name = await vscode.window.showInputBox({
      title: t("Rename the session"),
      value: session.name,
      validateInput: (text) => (text.trim() && text.length <= MAX_NAME ? undefined : t("1 to {0} characters", MAX_NAME)),
    });
    if (name !== undefined && name !== session.name) {
      await this.library.server.request("kore/session/rename", { ...keyOf(session), name: name.trim() });
    }
  }

  private async fork(target: Target): Promise<void> {
    const session = await this.meant(target, t("Fork which session?"));
    if (!session) return;
    const copy = await this.library.server.request("kore/session/fork", keyOf(session));
    await this.jump(copy);
  }

  private async update(target: Target, change: { pinned: boolean }): Promise<void> {
    const session = await this.meant(target, t("Which session?"));
    if (session) await this.library.server.request("kore/session/update", { ...keyOf(session), ...change });
  }

  private async step(target: Target, method: "kore/session/pause" | "kore/session/resume" | "kore/session/close"): Promise<void> {
    const session = await this.meant(target, t("Which session?"));
    if (session) await this.library.server.request(method, keyOf(session));
  }

  /** No question before: what is deleted is hidden, and the notice brings it back. */
  private async remove(target: Target): Promise<void> {
    const session = await this.meant(target, t("Delete which session?"));
    if (!session) return;
    await this.library.server.request("kore/session/delete", keyOf(session));
    const undo = t("Undo");
    void vscode.window.showInformationMessage(t("Deleted “{0}”", plain(session.name)), undo).then(async (chosen) => {
      if (chosen !== undo) return;
      await this.library.server.request("kore/session/restore", keyOf(session)).catch(showFailure);
    });
  }

  private async restore(): Promise<void> {
    const session = await pickDeleted(this.library);
    if (session) await this.library.server.request("kore/session/restore", keyOf(session));
  }

  private async export(target: Target): Promise<void> {
    const session = await this.meant(target, t("Export which session?"));
    if (!session) return;
    const start = vscode.Uri.joinPath(vscode.Uri.parse(session.folder), "session.json");
    const file = await vscode.window.showSaveDialog({ title: t("Export the session"), defaultUri: start, filters: { JSON: ["json"] } });
    if (!file) return;
    // The dialog has asked whether to replace a file that is there.
    const done = await this.library.server.request("kore/session/export", { ...keyOf(session), path: file.fsPath, overwrite: true });
    const told = t("Exported to {0}; messages: {1}", plain(file.fsPath), done.messages ?? 0);
    const readable = t("The store is encrypted; this copy is not.");
    void vscode.window.showInformationMessage(done.plain ? `${told}. ${readable}` : told);
  }

  private async import(): Promise<void> {
    const folder = await pickFolder(this.library);
    if (folder === undefined) return;
    const [file] = (await vscode.window.showOpenDialog({ title: t("Import sessions"), filters: { [t("Sessions")]: ["json", "db"] }, canSelectMany: false })) ?? [];
    if (!file) return;
    const done = await this.library.server.request("kore/session/import", { folder, path: file.fsPath, onConflict: "copy" });
    void vscode.window.showInformationMessage(t("Sessions imported: {0}", done.sessions.length));
  }

  private async copyId(target: Target): Promise<void> {
    const session = await this.meant(target, t("Which session?"));
    if (session) await vscode.env.clipboard.writeText(session.id);
  }

  /** The session of the tree's row, else the active one, else one the user picks. */
  async meant(target: Target, question: string): Promise<Session | undefined> {
    return asSession(target) ?? this.library.session ?? (await pickSession(this.library, question));
  }
}

export function asSession(target: Target): Session | undefined {
  if (!target) return undefined;
  if ("kind" in target) return target.kind === "session" ? target.session : undefined;
  return "id" in target ? target : undefined;
}

export function keyOf(session: Session): { sessionId: string; folder: string } {
  return { sessionId: session.id, folder: session.folder };
}
