// What users answered with "always", to be forgotten again; and every decision about what agents wanted, as a document.
import * as vscode from "vscode";
import type { PermissionDecision, RememberedRule } from "../protocol";
import { failureText, showFailure } from "../server/failures";
import type { Library } from "../sessions/library";
import { pickFolder } from "../sessions/picks";
import { modeName } from "../sessions/words";
import { label, visible } from "../text";
import { decisionLog, ruleText } from "./decisions";

const { t } = vscode.l10n;
const SCHEME = "kore-permissions";
const PAGE = 200;
const MOST_DECISIONS = 2_000;

type Row = vscode.QuickPickItem & { rule?: RememberedRule };

export class PermissionCommands implements vscode.TextDocumentContentProvider {
  private readonly changes = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changes.event;

  constructor(private readonly library: Library) {}

  register(): vscode.Disposable {
    return vscode.Disposable.from(
      this.changes,
      this.library.server.onEvent((event) => {
        if (event.type !== "store.locked" && event.type !== "store.changed") return;
        for (const { uri } of vscode.workspace.textDocuments) if (uri.scheme === SCHEME && uri.query === event.folder) this.changes.fire(uri);
      }),
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
      vscode.commands.registerCommand("kore.ui.rules", () => this.inFolder((folder) => this.rules(folder))),
      vscode.commands.registerCommand("kore.ui.decisions", () => this.inFolder((folder) => this.decisions(folder))),
    );
  }

  private async inFolder(run: (folder: string) => Promise<void>): Promise<void> {
    const folder = await pickFolder(this.library);
    if (folder !== undefined) await run(folder).catch(showFailure);
  }

  private async rules(folder: string): Promise<void> {
    const read = async (): Promise<Row[]> => {
      const { rules } = await this.library.server.request("kore/permission/rules", { folder });
      return rules.map((rule) => this.row(rule, folder));
    };
    const rows = await read();
    if (!rows.length) {
      void vscode.window.showInformationMessage(t("No answer is remembered in this folder."));
      return;
    }
    const picker = vscode.window.createQuickPick<Row>();
    picker.title = t("Remembered answers");
    picker.placeholder = t("Choose one to forget it; from then on the agent asks again");
    picker.matchOnDescription = picker.matchOnDetail = true;
    picker.items = rows;
    picker.onDidHide(() => picker.dispose());
    picker.onDidAccept(() => {
      const rule = picker.selectedItems[0]?.rule;
      if (rule) void this.forget(picker, rule, folder, read).catch(showFailure);
    });
    picker.show();
  }

  private async forget(picker: vscode.QuickPick<Row>, rule: RememberedRule, folder: string, read: () => Promise<Row[]>): Promise<void> {
    picker.busy = true;
    await this.library.server.request("kore/permission/revoke", { ruleId: rule.ruleId, folder });
    picker.items = await read();
    picker.busy = false;
    void vscode.window.showInformationMessage(t("Forgotten: {0}", visible(ruleText(rule)).replace(/\]\(/g, "] (")));
    if (!picker.items.length) picker.hide();
  }

  private row(rule: RememberedRule, folder: string): Row {
    const session = this.library.book.find(rule.sessionId, folder);
    const always = rule.answer === "allow" ? t("always allowed") : t("never allowed");
    const words = [always, ...(rule.network ? [t("with the network")] : []), ...(rule.unsandboxed ? [t("without a sandbox")] : [])];
    return {
      label: `$(${rule.answer === "allow" ? "pass" : "circle-slash"}) ${label(ruleText(rule))}`,
      description: words.join(" · "),
      detail: t("in the session “{0}”", label(session?.name ?? rule.sessionId)),
      rule,
    };
  }

  private async decisions(folder: string): Promise<void> {
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${t("Decisions")}`, query: folder });
    this.changes.fire(uri);
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri), { preview: true });
  }

  async provideTextDocumentContent({ query: folder }: vscode.Uri): Promise<string> {
    const decisions: PermissionDecision[] = [];
    try {
      for (let cursor: string | undefined; decisions.length < MOST_DECISIONS; ) {
        const page = await this.library.server.request("kore/permission/log", { folder, limit: PAGE, ...(cursor ? { cursor } : {}) });
        decisions.push(...page.decisions);
        if (!(cursor = page.nextCursor)) break;
      }
    } catch (error) {
      return failureText(error);
    }
    const title = t("Decisions about what agents wanted to do in “{0}”, newest first", this.library.folderName(folder));
    return decisionLog(title, decisions, {
      outcome: (decision) => outcomeName(decision),
      session: (id) => visible(this.library.book.find(id, folder)?.name ?? id),
      mode: modeName,
      none: t("No agent has wanted to do anything yet."),
    });
  }
}

function outcomeName({ decision, outcome }: PermissionDecision): string {
  if (decision === "allow") return t("allowed");
  if (decision === "deny") return t("denied");
  switch (outcome) {
    case "allowOnce": return t("asked: allowed once");
    case "allowAlways": return t("asked: allowed from now on");
    case "rejectOnce": return t("asked: rejected");
    case "rejectAlways": return t("asked: rejected from now on");
    default: return t("asked: not answered");
  }
}
