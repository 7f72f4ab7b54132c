// What a folder without sessions is offered: its copy, where its store is gone, else what other tools hold about it. Each offer once.
import * as vscode from "vscode";
import { when, type Upkeep } from "../server/upkeep";
import { showFailure } from "../server/failures";
import { plain } from "../text";
import type { Library } from "./library";

const { t } = vscode.l10n;
const MADE = "kore.offers";
/** The oldest are forgotten. */
const MOST_MADE = 500;

export class Offers implements vscode.Disposable {
  private readonly listening: vscode.Disposable;
  /** Folders looked at since the server started. */
  private readonly seen = new Set<string>();

  /** `memory` outlives the window. */
  constructor(
    private readonly library: Library,
    private readonly upkeep: Upkeep,
    private readonly memory: vscode.Memento,
  ) {
    this.listening = vscode.Disposable.from(
      library.onChange(() => this.look()),
      library.server.onState((state) => {
        if (state === "starting") this.seen.clear();
      }),
    );
  }

  private look(): void {
    const { server, shelves } = this.library;
    if (!vscode.workspace.isTrusted || !server.has("kore/store/restore") || !server.has("kore/history/scan")) return;
    for (const { folder, sessions, damaged, trouble } of shelves) {
      if (this.seen.has(folder)) continue;
      this.seen.add(folder);
      // Whoever asked for nothing is told of nothing: what can't be found out here is not offered.
      if (!trouble && !sessions.length && !damaged.length) void this.offer(folder).catch(() => undefined);
    }
  }

  private async offer(folder: string): Promise<void> {
    const status = await this.library.server.request("kore/store/status", { folder });
    if (!status.exists && status.backup) return this.offerBackup(folder, status.backup);
    const { sources } = await this.upkeep.scan(folder);
    const found = sources.filter(({ everywhere, sessions, imported }) => !everywhere && sessions > imported);
    const count = found.reduce((sum, { sessions, imported }) => sum + sessions - imported, 0);
    if (!count || !(await this.first(`import ${folder}`))) return;
    const [bring, later] = [t("Bring in"), t("Not now")];
    const tools = found.map(({ title }) => plain(title)).join(", ");
    const text = t("There are conversations about “{0}” in {1}: {2}. Bring them in?", plain(this.library.folderName(folder)), tools, count);
    if ((await vscode.window.showInformationMessage(text, bring, later)) === bring) await this.upkeep.bringIn(folder).catch(showFailure);
  }

  private async offerBackup(folder: string, backup: Parameters<Upkeep["bringBack"]>[1]): Promise<void> {
    if (!backup.sessions || !(await this.first(`${backup.id} ${folder}`))) return;
    const [bring, later] = [t("Bring back"), t("Not now")];
    const name = plain(this.library.folderName(folder));
    const text = t("The sessions of “{0}” are gone. A copy of {1} has {2} of them. Bring them back?", name, when(backup), backup.sessions);
    if ((await vscode.window.showInformationMessage(text, bring, later)) === bring) await this.upkeep.bringBack(folder, backup).catch(showFailure);
  }

  /** Whether this offer was never made before; from now on it was. */
  private async first(offer: string): Promise<boolean> {
    const made = this.memory.get<string[]>(MADE, []);
    if (made.includes(offer)) return false;
    await this.memory.update(MADE, [...made, offer].slice(-MOST_MADE));
    return true;
  }

  dispose(): void {
    this.listening.dispose();
  }
}
