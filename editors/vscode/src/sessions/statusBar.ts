// The status bar item: folder, session, mode and status of where the user is; a click offers what can be done, or leads to what is asked.
import * as vscode from "vscode";
import type { PermissionRequest } from "../protocol";
import type { Library } from "./library";
import { statusBarIcon, troubleIcon } from "./look";
import { label, shortened, visible } from "../text";
import { modeHere, statusName, troubleText } from "./words";

const NAME_CHARS = 30;

export class StatusBar implements vscode.Disposable {
  private readonly item: vscode.StatusBarItem;
  private readonly subscriptions: vscode.Disposable[];

  /** `waiting` tells which permission request has waited longest for the user. */
  constructor(
    private readonly library: Library,
    private readonly waiting: () => PermissionRequest | undefined,
    changed: vscode.Event<void>,
  ) {
    this.item = vscode.window.createStatusBarItem("kore.status", vscode.StatusBarAlignment.Left, 10);
    this.item.name = "Kore";
    this.subscriptions = [library.onChange(() => this.show()), library.server.onState(() => this.show()), changed(() => this.show())];
    this.show();
  }

  private show(): void {
    const { t } = vscode.l10n;
    const { server, folder, session } = this.library;
    this.item.backgroundColor = undefined;
    this.item.command = "kore.ui.actions";
    this.item.tooltip = t("Kore: click for actions");
    if (server.state === "stopped") {
      this.item.text = "$(comment-discussion) Kore";
      if (folder === undefined) this.item.hide();
      else this.item.show();
      return;
    }
    if (server.state !== "running") {
      const failed = server.state === "failed";
      this.item.text = failed ? `$(error) Kore: ${t("no server")}` : `$(loading~spin) Kore`;
      if (failed) this.item.backgroundColor = new vscode.ThemeColor("statusBarItem.errorBackground");
      this.item.show();
      return;
    }
    const trouble = folder === undefined ? undefined : this.library.book.shelf(folder)?.trouble;
    const where = folder === undefined ? "Kore" : this.library.folderName(folder);
    const words = [label(where)];
    if (session) words.push(label(shortened(session.name, NAME_CHARS)), modeHere(session.mode), statusName(session.status));
    else if (!trouble) words.push(t("no session"));
    this.item.text = `$(${trouble ? troubleIcon(trouble) : statusBarIcon(session)}) ${words.join(" · ")}`;
    if (trouble) this.item.tooltip = troubleText(trouble);
    else if (session) this.item.tooltip = `${visible(session.name)}\n${t("Kore: click for actions")}`;
    const asked = this.waiting();
    if (asked) {
      // Who asks may be another session than the one in view.
      const asking = this.library.book.find(asked.sessionId);
      const who = asking ? [label(this.library.folderName(asking.folder)), label(shortened(asking.name, NAME_CHARS))] : [];
      this.item.text = `$(question) ${[t("Permission needed"), ...who].join(" · ")}`;
      this.item.tooltip = `${visible(asked.summary)}\n${t("Kore: click to see the question")}`;
      this.item.command = "kore.ui.question";
      this.item.backgroundColor = new vscode.ThemeColor("statusBarItem.warningBackground");
    }
    this.item.show();
  }

  dispose(): void {
    for (const each of this.subscriptions) each.dispose();
    this.item.dispose();
  }
}
