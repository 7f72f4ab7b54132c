// Opens encrypted stores: by the passphrase that is kept, else by asking. Asks nobody twice unbidden.
import * as vscode from "vscode";
import type { Library } from "../sessions/library";
import { plain } from "../text";
import { errorKind } from "./contract";
import { showFailure } from "./failures";
import type { Passphrases } from "./passphrases";

const { t } = vscode.l10n;

export class Unlocker implements vscode.Disposable {
  private readonly listening: vscode.Disposable;
  /** Folders already tried or asked about since the server started. */
  private readonly seen = new Set<string>();

  constructor(
    private readonly library: Library,
    private readonly passphrases: Passphrases,
  ) {
    this.listening = vscode.Disposable.from(
      library.onChange(() => void this.tryAll()),
      library.server.onState((state) => {
        if (state === "starting") this.seen.clear();
      }),
    );
  }

  /** The user locked this folder: it stays so until the user opens it. */
  leave(folder: string): void {
    this.seen.add(folder);
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
      const kept = await this.passphrases.kept(folder);
      if (kept === undefined) return false;
      await this.library.server.request("kore/store/unlock", { folder, passphrase: kept });
    } catch (error) {
      if (errorKind(error) === "wrongKey") await this.passphrases.forget(folder);
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
      const passphrase = await this.passphrases.ask(t("Unlock the sessions"), prompt);
      if (passphrase === undefined) return;
      try {
        await this.library.server.request("kore/store/unlock", { folder, passphrase });
      } catch (error) {
        if (errorKind(error) === "wrongKey") continue;
        return showFailure(error);
      }
      await this.library.refresh();
      return this.passphrases.offerToKeep(folder, passphrase);
    }
  }

  dispose(): void {
    this.listening.dispose();
  }
}
