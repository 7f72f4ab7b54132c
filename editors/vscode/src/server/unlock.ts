// Opens encrypted stores: by the passphrase kept in the editor's secrets, else by asking. Never logs or stores it elsewhere.
import * as vscode from "vscode";
import type { Library } from "../sessions/library";
import { plain } from "../text";
import { errorKind } from "./contract";
import { showFailure } from "./failures";

const { t } = vscode.l10n;
const PREFIX = "kore.passphrase:";

export class Unlocker implements vscode.Disposable {
  private readonly listening: vscode.Disposable;
  /** Folders already tried or asked about since the server started; nobody is asked twice unbidden. */
  private readonly seen = new Set<string>();

  constructor(
    private readonly library: Library,
    private readonly secrets: vscode.SecretStorage,
  ) {
    this.listening = vscode.Disposable.from(
      library.onChange(() => void this.tryAll()),
      library.server.onState((state) => {
        if (state === "starting") this.seen.clear();
      }),
    );
  }

  private async tryAll(): Promise<void> {
    if (!this.library.server.has("kore/store/unlock")) return;
    for (const { folder, trouble } of this.library.shelves) {
      if (trouble !== "storeLocked" || this.seen.has(folder)) continue;
      this.seen.add(folder);
      if (await this.byKept(folder)) continue;
      const unlock = t("Unlock");
      const text = t("The sessions of “{0}” are encrypted.", plain(this.library.folderName(folder)));
      void vscode.window.showInformationMessage(text, unlock).then((chosen) => (chosen === unlock ? this.ask(folder) : undefined));
    }
  }

  private async byKept(folder: string): Promise<boolean> {
    try {
      const kept = await this.secrets.get(PREFIX + folder);
      if (kept === undefined) return false;
      await this.library.server.request("kore/store/unlock", { folder, passphrase: kept });
    } catch (error) {
      if (errorKind(error) === "wrongKey") await this.forget(folder);
      return false;
    }
    await this.library.refresh();
    return true;
  }

  /** Ask until the passphrase is right or the user gives up. */
  async ask(folder: string): Promise<void> {
    if (!this.library.server.has("kore/store/unlock")) {
      void vscode.window.showInformationMessage(t("This version of the server can't open encrypted sessions."));
      return;
    }
    for (let prompt = t("Passphrase of the sessions of “{0}”", this.library.folderName(folder)); ; prompt = t("The passphrase is wrong. Try again.")) {
      const passphrase = await vscode.window.showInputBox({ title: t("Unlock the sessions"), prompt, password: true, ignoreFocusOut: true });
      if (!passphrase) return;
      try {
        await this.library.server.request("kore/store/unlock", { folder, passphrase });
      } catch (error) {
        if (errorKind(error) === "wrongKey") continue;
        return showFailure(error);
      }
      await this.library.refresh();
      return this.keep(folder, passphrase);
    }
  }

  private async keep(folder: string, passphrase: string): Promise<void> {
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

  dispose(): void {
    this.listening.dispose();
  }
}
