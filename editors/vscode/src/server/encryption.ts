// Commands about who can read a folder's sessions: encrypt, decrypt, give another passphrase, lock.
import * as vscode from "vscode";
import type { StoreStatus } from "../protocol";
import type { Library } from "../sessions/library";
import { pickFolder } from "../sessions/picks";
import { plain } from "../text";
import { errorKind } from "./contract";
import { showFailure } from "./failures";
import type { Passphrases } from "./passphrases";
import type { Unlocker } from "./unlock";

const { t } = vscode.l10n;

type Change = "kore/store/encrypt" | "kore/store/decrypt" | "kore/store/rekey";
type Target = { folder?: string } | undefined;

export class EncryptionCommands {
  constructor(
    private readonly library: Library,
    private readonly passphrases: Passphrases,
    private readonly unlocker: Unlocker,
  ) {}

  register(): vscode.Disposable {
    const table: Record<string, (folder: string) => Promise<unknown>> = {
      encrypt: (folder) => this.encrypt(folder),
      decrypt: (folder) => this.decrypt(folder),
      rekey: (folder) => this.rekey(folder),
      lock: (folder) => this.lock(folder),
      unlock: (folder) => this.unlocker.ask(folder),
      forgetPassphrase: (folder) => this.passphrases.forget(folder),
    };
    return vscode.Disposable.from(
      ...Object.entries(table).map(([name, run]) =>
        vscode.commands.registerCommand(`kore.ui.${name}`, async (target: Target) => {
          const folder = target?.folder ?? (await pickFolder(this.library));
          if (folder !== undefined) await run(folder).catch(showFailure);
        }),
      ),
    );
  }

  private async encrypt(folder: string): Promise<void> {
    if ((await this.status(folder)).encrypted) return this.say(t("The sessions are encrypted already."));
    const passphrase = await this.passphrases.askNew(t("Encrypt the sessions of “{0}”", this.library.folderName(folder)));
    if (passphrase === undefined) return;
    const { problems = [] } = await this.change(t("Encrypting the sessions"), "kore/store/encrypt", { folder, passphrase });
    if (problems.length) void vscode.window.showWarningMessage(t("Encrypted, but this stays as it is: {0}", plain(problems.join("; "))));
    else this.say(t("The sessions are encrypted."));
    await this.passphrases.offerToKeep(folder, passphrase);
  }

  private async decrypt(folder: string): Promise<void> {
    if (!(await this.isEncrypted(folder))) return;
    const title = t("Decrypt the sessions of “{0}”", this.library.folderName(folder));
    const prompt = t("Their passphrase. Afterwards everybody who has the file can read them.");
    await this.asking(title, prompt, async (passphrase) => {
      await this.change(t("Decrypting the sessions"), "kore/store/decrypt", { folder, passphrase });
      await this.passphrases.forget(folder);
      this.say(t("The sessions are not encrypted any more."));
    });
  }

  private async rekey(folder: string): Promise<void> {
    if (!(await this.isEncrypted(folder))) return;
    const title = t("Another passphrase for the sessions of “{0}”", this.library.folderName(folder));
    await this.asking(title, t("The passphrase they have"), async (passphrase) => {
      const newPassphrase = await this.passphrases.askNew(title);
      if (newPassphrase === undefined) return;
      await this.change(t("Encrypting the sessions"), "kore/store/rekey", { folder, passphrase, newPassphrase });
      await this.passphrases.forget(folder);
      this.say(t("The sessions have another passphrase."));
      await this.passphrases.offerToKeep(folder, newPassphrase);
    });
  }

  private async lock(folder: string): Promise<void> {
    if (!(await this.isEncrypted(folder))) return;
    this.unlocker.leave(folder);
    await this.library.server.request("kore/store/lock", { folder });
    await this.library.refresh();
  }

  /** Ask for the passphrase until it is the right one for what is done with it, or the user gives up. */
  private async asking(title: string, prompt: string, work: (passphrase: string) => Promise<void>): Promise<void> {
    for (let words = prompt; ; words = t("The passphrase is wrong. Try again.")) {
      const passphrase = await this.passphrases.ask(title, words);
      if (passphrase === undefined) return;
      try {
        return await work(passphrase);
      } catch (error) {
        if (errorKind(error) !== "wrongKey") throw error;
      }
    }
  }

  /** A big store takes its time: the notice says how far it is. */
  private async change(title: string, method: Change, params: { folder: string; passphrase: string; newPassphrase?: string }): Promise<StoreStatus> {
    const location = vscode.ProgressLocation.Notification;
    const status = await vscode.window.withProgress({ location, title }, (progress) => {
      let reached = 0;
      return this.library.server.requestWithProgress(method, params, (percentage) => {
        progress.report({ increment: percentage - reached, message: `${percentage} %` });
        reached = percentage;
      });
    });
    await this.library.refresh();
    return status;
  }

  private async isEncrypted(folder: string): Promise<boolean> {
    const { encrypted } = await this.status(folder);
    if (!encrypted) this.say(t("The sessions are not encrypted."));
    return encrypted;
  }

  private status(folder: string): Promise<StoreStatus> {
    return this.library.server.request("kore/store/status", { folder });
  }

  private say(text: string): void {
    void vscode.window.showInformationMessage(text);
  }
}
