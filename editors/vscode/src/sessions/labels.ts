// Commands for keeping order among sessions: tags, a description, an archive out of the way of the tree.
import * as vscode from "vscode";
import type { Session } from "../protocol";
import { showFailure } from "../server/failures";
import { plain } from "../text";
import { keyOf, type Meant, type Target } from "./commands";
import type { Library } from "./library";
import { pickArchived } from "./picks";
import type { Jump } from "./search";
import { tagsIn } from "./tags";

const { t } = vscode.l10n;
const MOST_DESCRIPTION = 4_000;

export class LabelCommands {
  constructor(
    private readonly library: Library,
    private readonly meant: Meant,
    private readonly jump: Jump,
  ) {}

  register(): vscode.Disposable {
    const table: Record<string, (target: Target) => Promise<void>> = {
      tags: (target) => this.tags(target),
      describe: (target) => this.describe(target),
      archive: (target) => this.archive(target),
      archived: () => this.archived(),
    };
    return vscode.Disposable.from(
      ...Object.entries(table).map(([name, run]) =>
        vscode.commands.registerCommand(`kore.ui.${name}`, (target: Target) => run(target).catch(showFailure)),
      ),
    );
  }

  private async tags(target: Target): Promise<void> {
    const session = await this.meant(target, t("Tag which session?"));
    if (!session) return;
    const text = await vscode.window.showInputBox({
      title: t("Tags of the session"),
      prompt: t("Between commas; none at all removes them"),
      value: session.tags.join(", "),
      validateInput: (typed) => (typeof tagsIn(typed) === "string" ? t("At most 64 tags of 100 characters") : undefined),
    });
    const tags = text === undefined ? undefined : tagsIn(text);
    if (Array.isArray(tags)) await this.library.server.request("kore/session/update", { ...keyOf(session), tags });
  }

  private async describe(target: Target): Promise<void> {
    const session = await this.meant(target, t("Describe which session?"));
    if (!session) return;
    const description = await vscode.window.showInputBox({
      title: t("Description of the session"),
      prompt: t("An empty one removes it"),
      value: session.description ?? "",
      validateInput: (typed) => (typed.length <= MOST_DESCRIPTION ? undefined : t("At most {0} characters", MOST_DESCRIPTION)),
    });
    if (description !== undefined) await this.library.server.request("kore/session/update", { ...keyOf(session), description });
  }

  /** No question before: the notice brings it back, and the list of the archived ones does later. */
  private async archive(target: Target): Promise<void> {
    const session = await this.meant(target, t("Archive which session?"));
    if (!session) return;
    await this.setArchived(session, true);
    const undo = t("Undo");
    void vscode.window.showInformationMessage(t("Archived “{0}”", plain(session.name)), undo).then(async (chosen) => {
      if (chosen === undo) await this.setArchived(session, false).catch(showFailure);
    });
  }

  private async archived(): Promise<void> {
    const session = await pickArchived(this.library);
    if (!session) return;
    await this.setArchived(session, false);
    await this.jump(session);
  }

  private async setArchived(session: Session, archived: boolean): Promise<void> {
    await this.library.server.request("kore/session/update", { ...keyOf(session), archived });
  }
}
