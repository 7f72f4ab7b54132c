// Keys of model providers: kept in the editor's secrets, given to each server that starts. Never logged, never kept elsewhere.
import * as vscode from "vscode";
import type { AgentSetKeyParams } from "../protocol";
import { pickOne } from "../sessions/picks";
import { label } from "../text";
import { showFailure } from "./failures";
import type { Server } from "./server";

const { t } = vscode.l10n;
const PREFIX = "kore.key:";
type Provider = AgentSetKeyParams["provider"];
const USABLE = /^[\x21-\x7e]{1,8000}$/;

export class ProviderKeys implements vscode.Disposable {
  private readonly listening: vscode.Disposable;

  constructor(
    private readonly server: Server,
    private readonly secrets: vscode.SecretStorage,
  ) {
    this.listening = vscode.Disposable.from(
      server.onState((state) => {
        if (state === "running" && server.has("kore/agent/setKey")) void this.giveKept().catch(showFailure);
      }),
      vscode.commands.registerCommand("kore.ui.setKey", () => this.ask().catch(showFailure)),
    );
  }

  private async giveKept(): Promise<void> {
    const { providers } = await this.server.request("kore/agent/list", {});
    for (const { provider } of providers) {
      const key = await this.secrets.get(PREFIX + provider);
      if (key) await this.server.request("kore/agent/setKey", { provider: provider as Provider, key });
    }
  }

  private async ask(): Promise<void> {
    if (this.server.state === "running" && !this.server.has("kore/agent/setKey")) {
      void vscode.window.showInformationMessage(t("This version of the server takes no keys."));
      return;
    }
    const { providers } = await this.server.request("kore/agent/list", {});
    const provider = await pickOne(t("Whose key?"), providers.map((each) => ({
      label: label(each.provider),
      description: each.hasKey ? t("has a key") : "",
      value: each.provider as Provider,
    })));
    if (provider === undefined) return;
    const key = await vscode.window.showInputBox({
      title: t("API key of {0}", provider),
      prompt: t("It is kept in the editor's secrets; an empty one is forgotten"),
      password: true,
      ignoreFocusOut: true,
      validateInput: (typed) => (!typed.trim() || USABLE.test(typed.trim()) ? undefined : t("A key is made of letters, digits and signs, without spaces")),
    });
    if (key !== undefined) await this.set(provider, key.trim());
  }

  private async set(provider: Provider, key: string): Promise<void> {
    await this.server.request("kore/agent/setKey", { provider, ...(key ? { key } : {}) });
    try {
      await (key ? this.secrets.store(PREFIX + provider, key) : this.secrets.delete(PREFIX + provider));
    } catch {
      void vscode.window.showWarningMessage(t("This machine has no place for secrets; the key counts until the server ends."));
      return;
    }
    void vscode.window.showInformationMessage(key ? t("The key of {0} is set.", provider) : t("The key of {0} is forgotten.", provider));
  }

  dispose(): void {
    this.listening.dispose();
  }
}
