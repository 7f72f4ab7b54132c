// Passphrases: asked for, and kept in the editor's secrets where the user wants that. Never logged, never kept elsewhere.
import * as vscode from "vscode";
import { plain } from "../text";

const { t } = vscode.l10n;
const PREFIX = "kore.passphrase:";

export class Passphrases {
  constructor(private readonly secrets: vscode.SecretStorage) {}

  /** What the user typed; undefined where the user gave up. */
  async ask(title: string, prompt: string): Promise<string | undefined> {
    return (await vscode.window.showInputBox({ title, prompt: plain(prompt), password: true, ignoreFocusOut: true })) || undefined;
  }

  /** A new one, typed twice. */
  async askNew(title: string): Promise<string | undefined> {
    const warning = t("Nobody can read the sessions without it, and it can't be replaced.");
    for (let prompt = `${t("The new passphrase.")} ${warning}`; ; prompt = t("The two were not the same. The new passphrase again, please.")) {
      const first = await this.ask(title, prompt);
      if (first === undefined) return undefined;
      const second = await this.ask(title, t("The new passphrase once more"));
      if (second === undefined || first === second) return second;
    }
  }

  async kept(folder: string): Promise<string | undefined> {
    return this.secrets.get(PREFIX + folder);
  }

  async offerToKeep(folder: string, passphrase: string): Promise<void> {
    const remember = t("Remember");
    const chosen = await vscode.window.showInformationMessage(t("Remember the passphrase on this machine?"), remember);
    if (chosen !== remember) return;
    try {
      await this.secrets.store(PREFIX + folder, passphrase);
    } catch {
      void vscode.window.showWarningMessage(t("This machine has no place for secrets; the passphrase will be asked for each time."));
    }
  }

  async forget(folder: string): Promise<void> {
    await Promise.resolve(this.secrets.delete(PREFIX + folder)).catch(() => undefined);
  }
}
