// Commands that look after a folder's sessions as a whole: check, copy, bring back, bring in what other tools hold.
import * as vscode from "vscode";
import type { HistoryScanned, StoreBackup } from "../protocol";
import type { Library } from "../sessions/library";
import { pickFolder, pickOne } from "../sessions/picks";
import { label, plain } from "../text";
import { showFailure } from "./failures";

const { t } = vscode.l10n;

type Target = { folder?: string } | undefined;

export class Upkeep {
  constructor(private readonly library: Library) {}

  register(): vscode.Disposable {
    const table: Record<string, (folder: string) => Promise<void>> = {
      check: (folder) => this.check(folder),
      backup: (folder) => this.backup(folder),
      bringBack: (folder) => this.chooseBackup(folder),
      bringIn: (folder) => this.chooseHistory(folder),
    };
    return vscode.Disposable.from(
      ...Object.entries(table).map(([name, run]) =>
        vscode.commands.registerCommand(`kore.ui.${name}`, async (target: Target) => {
          const folder = target?.folder ?? (await pickFolder(this.library));
          if (folder !== undefined) await run(folder).catch(showFailure);
        }),
      ),
    );
  }

  private async check(folder: string): Promise<void> {
    const { server } = this.library;
    const title = t("Checking the sessions");
    const { ok, problems } = await this.working(title, () => server.request("kore/store/check", { folder }));
    if (ok) return this.say(t("The sessions are whole: nothing is wrong with them."));
    const repair = t("Repair");
    const chosen = await vscode.window.showWarningMessage(t("Something is wrong with the sessions: {0}", plain(problems.join("; "))), repair);
    if (chosen !== repair) return;
    const done = await this.working(t("Repairing the sessions"), () => server.request("kore/store/check", { folder, repair: true }));
    await this.library.refresh();
    if (done.ok) this.say(t("Repaired: {0}", plain((done.repaired ?? []).join("; ") || "–")));
    else void vscode.window.showErrorMessage(t("Something is still wrong with the sessions: {0}", plain(done.problems.join("; "))));
  }

  private async backup(folder: string): Promise<void> {
    const start = vscode.Uri.joinPath(vscode.Uri.parse(folder), "..", "kore-sessions.db");
    const file = await vscode.window.showSaveDialog({ title: t("Copy the sessions to a file"), defaultUri: start, filters: { [t("Sessions")]: ["db"] } });
    if (!file) return;
    // The dialog has asked whether to replace a file that is there.
    await this.library.server.request("kore/store/backup", { folder, path: file.fsPath, overwrite: true });
    this.say(t("Copied to {0}", plain(file.fsPath)));
  }

  /** Which copy, what it would do, then do it. */
  private async chooseBackup(folder: string): Promise<void> {
    const { server } = this.library;
    const { backups } = await server.request("kore/store/backups", { folder });
    const rows = backups.map((each) => ({ label: label(when(each)), description: t("Sessions: {0}, messages: {1}", each.sessions, each.messages), value: each }));
    const chosen = await pickOne(t("Bring back which copy?"), rows, t("There is no copy of this folder's sessions yet."));
    if (!chosen) return;
    const would = await server.request("kore/store/restore", { folder, backup: chosen.id, dryRun: true });
    if (!would.sessions) return this.say(t("All sessions of this copy are here."));
    const go = t("Bring back");
    const text = t("Sessions that come back: {0}. Those that are here stay as they are: {1}.", would.sessions, would.present);
    if ((await vscode.window.showWarningMessage(text, { modal: true }, go)) === go) await this.bringBack(folder, chosen);
  }

  async bringBack(folder: string, backup: StoreBackup): Promise<void> {
    const { server } = this.library;
    const done = await this.working(t("Bringing sessions back"), () => server.request("kore/store/restore", { folder, backup: backup.id }));
    await this.library.refresh();
    this.say(t("Sessions brought back: {0}", done.sessions));
  }

  /** Which tool, then bring in what it holds for the folder. */
  private async chooseHistory(folder: string): Promise<void> {
    const { sources } = await this.scan(folder);
    const rows = sources.map((each) => ({
      label: label(each.title),
      description: t("Sessions: {0}, messages: {1}", each.sessions, each.messages),
      ...(each.everywhere ? { detail: t("This tool does not know folders: it is all that it has.") } : {}),
      value: each.source,
    }));
    const source = await pickOne(t("Bring in the conversations of which tool?"), rows, t("No other tool has conversations about this folder."));
    if (source !== undefined) await this.bringIn(folder, source);
  }

  scan(folder: string): Promise<HistoryScanned> {
    return this.library.server.request("kore/history/scan", { folder });
  }

  /** Without a source: of all tools, what belongs to the folder. */
  async bringIn(folder: string, source?: string): Promise<void> {
    const { server } = this.library;
    const params = { folder, ...(source === undefined ? {} : { source }) };
    const done = await this.working(t("Bringing conversations in"), (report) => server.requestWithProgress("kore/history/import", params, report));
    await this.library.refresh();
    this.say(t("Sessions brought in: {0}", done.sessions.length));
  }

  private async working<T>(title: string, work: (report: (percentage: number) => void) => Promise<T>): Promise<T> {
    return vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title }, (progress) => {
      let reached = 0;
      return work((percentage) => {
        progress.report({ increment: percentage - reached, message: `${percentage} %` });
        reached = percentage;
      });
    });
  }

  private say(text: string): void {
    void vscode.window.showInformationMessage(text);
  }
}

/** When a copy was made, in the user's way to write it. */
export function when(backup: StoreBackup): string {
  return new Date(backup.createdAt).toLocaleString(vscode.env.language);
}
