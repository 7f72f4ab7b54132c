// Going back to before a message: what the user is asked first.
import * as vscode from "vscode";
import type { SessionRewind } from "../protocol";
import { visible } from "../text";

/** What is to go back; undefined: nothing. Not asked where an answer is simply given anew (`plain`) and files stay. */
export async function askRewind(would: SessionRewind, plain: boolean): Promise<"messages" | "files" | undefined> {
  const { t } = vscode.l10n;
  const { removed, reverted, conflicts } = would;
  if (plain && !reverted.length && !conflicts.length) return "messages";
  const messages = t("Take back {0} messages", removed);
  const files = t("Take back {0} messages and {1} files", removed, reverted.length);
  const kept = t("An archived copy of the session keeps all that was said.");
  const left = conflicts.length ? " " + t("Changed since, left as they are: {0}", conflicts.map(visible).join(", ")) : "";
  const detail = [kept + left, ...reverted.map(visible)].join("\n");
  const choices = reverted.length ? [messages, files] : [messages];
  const choice = await vscode.window.showWarningMessage(t("Go back to before this message?"), { modal: true, detail }, ...choices);
  return choice === undefined ? undefined : choice === files && reverted.length ? "files" : "messages";
}
