// Which agent answers in a session: a list of those that the server knows, of which the user picks one.
import * as vscode from "vscode";
import type { AgentBackend } from "../protocol";
import { agentFailureText, showFailure } from "../server/failures";
import { label } from "../text";
import { chosen, isCurrent } from "./backends";
import { keyOf, type Meant, type Target } from "./commands";
import type { Library } from "./library";
import { pickOne } from "./picks";

const { t } = vscode.l10n;

export class AgentCommands {
  constructor(
    private readonly library: Library,
    private readonly meant: Meant,
  ) {}

  register(): vscode.Disposable {
    return vscode.commands.registerCommand("kore.ui.agent", (target: Target) => this.choose(target).catch(showFailure));
  }

  private async choose(target: Target): Promise<void> {
    const session = await this.meant(target, t("Choose the agent of which session?"));
    if (!session) return;
    const { backends } = await this.library.server.request("kore/agent/list", {});
    const picked = await pickOne(t("Which agent answers?"), backends.map((each) => this.row(each, isCurrent(each, session.agent))));
    if (!picked) return;
    if (!picked.available) {
      void vscode.window.showWarningMessage(t("This agent is not available: {0}", whyNot(picked)));
      return;
    }
    await this.library.server.request("kore/session/update", { ...keyOf(session), agent: chosen(picked) });
  }

  private row(backend: AgentBackend, current: boolean): vscode.QuickPickItem & { value: AgentBackend } {
    const name = label(backend.backend);
    return {
      label: current ? `$(check) ${name}` : name,
      description: label(backend.model ?? backend.preset ?? ""),
      ...(backend.available ? {} : { detail: `$(circle-slash) ${label(whyNot(backend))}` }),
      value: backend,
    };
  }
}

function whyNot({ fault }: AgentBackend): string {
  return fault ? agentFailureText(fault) : t("not available");
}
