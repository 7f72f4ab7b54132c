// Quick picks: which session, which folder, which mode, and what to do.
import * as vscode from "vscode";
import type { AgentMode, Session } from "../protocol";
import { label } from "../text";
import type { Library } from "./library";
import { lookOf } from "./look";
import { MODES, modeDetail, modeName, statusName } from "./words";

const { t } = vscode.l10n;

export type Pick<T> = vscode.QuickPickItem & { value?: T };

/** A session of any open folder, chosen by the user. */
export async function pickSession(library: Library, title: string): Promise<Session | undefined> {
  return pickOne(title, sessionRows(library, library.shelves.map(({ folder, sessions }) => ({ folder, sessions }))));
}

/** A session that was deleted and can come back. */
export async function pickDeleted(library: Library): Promise<Session | undefined> {
  const groups = await listed(library, { deleted: true });
  return pickOne(t("Restore a deleted session"), sessionRows(library, groups), t("No session was deleted"));
}

/** A session that was archived. */
export async function pickArchived(library: Library): Promise<Session | undefined> {
  const groups = await listed(library, { archived: true });
  return pickOne(t("Bring an archived session back"), sessionRows(library, groups), t("No session is archived"));
}

async function listed(library: Library, filter: { deleted: true } | { archived: true }): Promise<{ folder: string; sessions: readonly Session[] }[]> {
  const groups = [];
  for (const { folder, trouble } of library.shelves) {
    if (trouble) continue;
    const { sessions } = await library.server.request("kore/session/list", { folder, ...filter, limit: 200 });
    groups.push({ folder, sessions });
  }
  return groups;
}

function sessionRows(library: Library, groups: { folder: string; sessions: readonly Session[] }[]): Pick<Session>[] {
  return groups.flatMap(({ folder, sessions }) => {
    const rows: Pick<Session>[] = sessions.map((session) => ({
      label: `$(${lookOf(session).icon}) ${label(session.name)}`,
      description: [modeName(session.mode), statusName(session.status), ...(session.active ? [t("active")] : [])].join(" · "),
      ...(session.lastMessage ? { detail: label(session.lastMessage.preview) } : {}),
      value: session,
    }));
    if (groups.length > 1 && rows.length) {
      rows.unshift({ label: library.folderName(folder), kind: vscode.QuickPickItemKind.Separator });
    }
    return rows;
  });
}

export async function pickFolder(library: Library): Promise<string | undefined> {
  const folders = library.folders;
  if (!folders.length) void vscode.window.showInformationMessage(t("Open a folder first: sessions live in folders."));
  if (folders.length < 2) return folders[0]?.uri.toString();
  return pickOne(t("In which folder?"), folders.map((each) => ({
    label: `$(folder) ${label(each.name)}`,
    description: label(each.uri.fsPath),
    value: each.uri.toString(),
  })));
}

export async function pickMode(current: AgentMode | undefined, title: string): Promise<AgentMode | undefined> {
  return pickOne(title, MODES.map((mode) => ({
    label: mode === current ? `$(check) ${modeName(mode)}` : modeName(mode),
    detail: modeDetail(mode),
    value: mode,
  })));
}

/** What can be done from the status bar. */
export async function pickAction(library: Library): Promise<string | undefined> {
  const { server } = library;
  if (server.state === "stopped") await server.start();
  const { session, folder } = library;
  if (server.state !== "running") {
    return pickOne("Kore", [
      { label: `$(debug-restart) ${t("Restart the server")}`, value: "kore.ui.restart" },
      { label: `$(desktop-download) ${t("How to install the server")}`, value: "kore.ui.install" },
      { label: `$(output) ${t("Show the log")}`, value: "kore.ui.log" },
    ]);
  }
  const locked = folder !== undefined && library.book.shelf(folder)?.trouble === "storeLocked";
  const rows: Pick<string>[] = [
    ...(locked ? [{ label: `$(unlock) ${t("Unlock the sessions")}`, value: "kore.ui.unlock" }] : []),
    ...(session?.status === "running" ? [{ label: `$(debug-stop) ${t("Stop the agent")}`, value: "kore.ui.stop" }] : []),
    { label: `$(comment-discussion) ${t("Open the chat")}`, value: "kore.ui.chat" },
    { label: `$(add) ${t("New session")}`, value: "kore.ui.new" },
    { label: `$(list-selection) ${t("Switch session")}`, value: "kore.ui.switch" },
    { label: `$(search) ${t("Search all sessions")}`, value: "kore.ui.search" },
    ...(session ? [
      { label: `$(shield) ${t("Change the mode")}`, description: modeName(session.mode), value: "kore.ui.mode" },
      { label: `$(edit) ${t("Rename the session")}`, value: "kore.ui.rename" },
      { label: `$(repo-forked) ${t("Fork the session")}`, value: "kore.ui.fork" },
      { label: `$(open-preview) ${t("Open the transcript")}`, value: "kore.ui.transcript" },
    ] : []),
    { label: `$(debug-restart) ${t("Restart the server")}`, value: "kore.ui.restart" },
    { label: `$(output) ${t("Show the log")}`, value: "kore.ui.log" },
  ];
  return pickOne("Kore", rows);
}

export async function pickOne<T>(title: string, rows: Pick<T>[], empty = t("There is nothing to choose from")): Promise<T | undefined> {
  if (!rows.some((row) => row.value !== undefined)) {
    void vscode.window.showInformationMessage(empty);
    return undefined;
  }
  const chosen = await vscode.window.showQuickPick(rows, { title, matchOnDescription: true, matchOnDetail: true });
  return chosen?.value;
}
