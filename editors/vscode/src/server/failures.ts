// What went wrong, in the user's language. Words the kinds of the protocol; shows a server's text only where it has none.
import * as vscode from "vscode";
import type { AgentFault } from "../protocol";
import { errorData } from "./contract";
import { plain, visible } from "../text";

const { t } = vscode.l10n;

export function failureText(error: unknown): string {
  const data = errorData(error);
  switch (data?.kind) {
    case "sessionNotFound": return t("The session is gone.");
    case "messageNotFound": return t("The message is gone.");
    case "turnNotFound": return t("The turn is gone.");
    case "sessionClosed": return t("The session is closed. Open it to go on.");
    case "sessionBusy": return t("The session is still answering.");
    case "sessionExists": return t("A session with this id is already there.");
    case "sessionLimit": return t("The most sessions that may be loaded are loaded. Close one first.");
    case "badTransition": return t("The session's state does not allow this now.");
    case "folderRequired": return t("Several folders are open: choose one.");
    case "folderNotFound": return t("The server has not opened this folder.");
    case "storeLocked":
      return data.params?.["plain"] ? t("A passphrase is set, but this store is not encrypted.") : t("The sessions are encrypted and locked.");
    case "wrongKey": return t("The passphrase is wrong.");
    case "storeDamaged": return t("The file that holds the sessions is damaged. Nothing was changed.");
    case "storeForeign": return t("The sessions in this folder were not made by you. Take them over before you use them.");
    case "storeReadOnly": return t("The sessions can be read but not changed.");
    case "storeBusy": return t("Another program is writing to the sessions. Try again.");
    case "storeFull": return t("There is no room left; nothing was stored.");
    case "unsupportedStore": return t("The sessions were written by a newer Kore LS.");
    case "importInvalid": return t("The document can't be imported; nothing was stored.");
    case "agentUnavailable": return t("The agent is not installed or not configured.");
    case "authRequired": return t("The agent needs a key or a login.");
    case "agentFailed": return t("The agent stopped with an error.");
    case "leaseHeld": return t("Another editor is working in this session.");
    case "invalidParams": return t("The server refused the request: {0}", plain((data.problems ?? []).join("; ")));
    case "internal": return t("Something went wrong in the server. Its log has the details under {0}.", data.reference ?? "?");
    default: return plain(error instanceof Error ? error.message : String(error));
  }
}

/** Why an agent failed; its own words where its kind says only that it did. */
export function agentFailureText({ kind, message }: AgentFault): string {
  if (kind === "internal") return visible(message);
  const text = failureText(Object.assign(new Error(message), { data: { kind } }));
  return kind === "agentFailed" && message ? `${text} ${visible(message)}` : text;
}

/** Show a failure, with the log a click away. */
export async function showFailure(error: unknown): Promise<void> {
  if (error instanceof vscode.CancellationError) return;
  const log = t("Show Log");
  if ((await vscode.window.showErrorMessage(failureText(error), log)) === log) {
    await vscode.commands.executeCommand("kore.ui.log");
  }
}
