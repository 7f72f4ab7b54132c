// What went wrong, in the user's language. Words the kinds of the protocol; shows a server's text only where it has none.
import * as vscode from "vscode";
import type { AgentFault } from "../protocol";
import { errorData } from "./contract";
import { plain, visible } from "../text";

const { t } = vscode.l10n;
const AGENT_KINDS = new Set(["agentUnavailable", "authRequired", "agentFailed"]);

/** Why an agent can't answer, as far as its reason is one of those that the server names. */
function reasonText(params: Readonly<Record<string, unknown>> = {}): string | undefined {
  const fact = (name: string): string => plain(String(params[name] ?? "?"));
  switch (params["reason"]) {
    case "noKey": return t("No key for {0} is set. Use Kore: Set API Key, or the variable {1}.", fact("provider"), fact("variable"));
    case "refusedKey": return t("{0} does not accept the key.", fact("provider"));
    case "login": return t("The agent needs a key or a login; start it once in a terminal.");
    case "contextOverflow": return t("The conversation is too long for this model.");
    case "quota": return t("The account at {0} has no credit left.", fact("provider"));
    case "rateLimit":
      return "retryAfter" in params ? t("{0} allows no more requests now; try again in {1} s.", fact("provider"), fact("retryAfter")) : t("{0} allows no more requests now.", fact("provider"));
    case "unreachable": return t("{0} can't be reached; check the address and the network.", fact("provider"));
    case "brokenOff": return t("The connection to {0} broke off in mid-answer.", fact("provider"));
    case "server": return t("{0} answered with status {1}.", fact("provider"), fact("status"));
    case "answer": return t("{0} gave no usable answer.", fact("provider"));
    case "unknownModel": return t("{0} does not know this model, or its address is wrong.", fact("provider"));
    case "model": return t("No usable model is configured: name it as provider:model, or set the address as well.");
    case "extra": return t("The server lacks an extra for this agent: {0}", fact("install"));
    case "preset": return t("There is no such preset for external agents.");
    case "command": return t("No external agent is configured.");
    case "program": return t("The agent's program is not installed, or not on the PATH.");
    case "untrusted": return t("External agents are not started in a folder that is not trusted.");
    case "folder": return t("There is no folder that an external agent could work in.");
    case "start": return t("The agent's program could not be started.");
    case "ended": return t("The agent's program ended unexpectedly; the log has its last words.");
    case "version": return t("The agent speaks another version of the protocol.");
    case "protocol": return t("The agent does not keep to the protocol; it is started again.");
    case "error": return t("The agent answered with an error ({0}).", fact("status"));
    default: return undefined;
  }
}

export function failureText(error: unknown): string {
  const data = errorData(error);
  if (data && AGENT_KINDS.has(data.kind)) {
    const reason = reasonText(data.params);
    if (reason) return reason;
  }
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

/** Why an agent failed; its own words where its kind and reason say only that it did. */
export function agentFailureText({ kind, message, params }: AgentFault): string {
  if (kind === "internal") return visible(message);
  const text = failureText(Object.assign(new Error(message), { data: { kind, params } }));
  return kind === "agentFailed" && !reasonText(params) && message ? `${text} ${visible(message)}` : text;
}

/** Show a failure, with the log a click away. */
export async function showFailure(error: unknown): Promise<void> {
  if (error instanceof vscode.CancellationError) return;
  const log = t("Show Log");
  if ((await vscode.window.showErrorMessage(failureText(error), log)) === log) {
    await vscode.commands.executeCommand("kore.ui.log");
  }
}
