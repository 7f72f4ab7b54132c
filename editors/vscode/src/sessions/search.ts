// Full-text search as you type: a newer query cancels the older one, and a hit leads to its message.
import * as vscode from "vscode";
import type { SearchResult } from "../protocol";
import { failureText, showFailure } from "../server/failures";
import { label, shortened } from "../text";
import { hitRows, type HitRow } from "./hits";
import { Latest } from "./latest";
import type { Library } from "./library";
import { damagedText } from "./words";

const PAUSE_MS = 120;
const NAME_CHARS = 30;

type Item = vscode.QuickPickItem & { row?: HitRow; command?: string };
export type Jump = (session: { id: string; folder: string }, seq?: number) => Promise<void>;

export function searchSessions(library: Library, jump: Jump): void {
  const { t } = vscode.l10n;
  const picker = vscode.window.createQuickPick<Item>();
  picker.title = t("Search all sessions");
  picker.placeholder = t("Words, \"phrases\", -excluded words");
  const latest = new Latest<vscode.CancellationTokenSource, SearchResult>(
    PAUSE_MS,
    () => new vscode.CancellationTokenSource(),
    (query, source) => library.server.request("kore/session/search", { query }, source.token),
    (query, result) => {
      picker.busy = false;
      picker.items = items(result, query);
    },
    (error) => {
      picker.busy = false;
      picker.items = [notice(failureText(error))];
    },
  );
  picker.onDidChangeValue((query) => {
    if (query.trim()) {
      picker.busy = true;
      latest.put(query);
    } else {
      latest.cancel();
      picker.busy = false;
      picker.items = [];
    }
  });
  picker.onDidAccept(() => {
    const { row, command } = picker.selectedItems[0] ?? {};
    if (row || command) picker.hide();
    if (command) void vscode.commands.executeCommand(command);
    if (!row) return;
    jump(row.session, row.kind === "message" ? row.seq : undefined).catch(showFailure);
  });
  picker.onDidHide(() => {
    latest.cancel();
    picker.dispose();
  });
  picker.show();
}

/** The rows of a result: its hits, and what is to be said about it. */
export function items(result: SearchResult, query: string): Item[] {
  const rows = hitRows(result).map((row): Item => {
    if (row.kind === "session") {
      return { label: `$(comment-discussion) ${row.label}`, row, alwaysShow: true };
    }
    const where = `${label(shortened(row.session.name, NAME_CHARS))} · ${roleName(row.role)}`;
    return { label: `$(comment) ${row.label}`, description: where, row, alwaysShow: true };
  });
  if (!rows.length) rows.push(notice(vscode.l10n.t("Nothing found for “{0}”", query)));
  if (result.truncated || result.nextCursor) rows.push(notice(vscode.l10n.t("There may be more: add a word to narrow it down")));
  if (result.lockedFolders?.length) rows.push(notice(vscode.l10n.t("Some folders are locked and were not searched")));
  if (result.damaged?.length) {
    rows.push({ ...notice(damagedText(result.damaged.length)), description: vscode.l10n.t("Check the stored sessions"), command: "kore.ui.check" });
  }
  return rows;
}

export function roleName(role: string): string {
  const { t } = vscode.l10n;
  return { user: t("You"), assistant: t("Agent"), system: t("System"), tool: t("Tool") }[role] ?? role;
}

function notice(text: string): Item {
  return { label: `$(info) ${text}`, alwaysShow: true };
}
