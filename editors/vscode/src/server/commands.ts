// Commands about the server itself: restart, install, log; and taking over a store that somebody else made.
import * as vscode from "vscode";
import type { Library } from "../sessions/library";
import { pickFolder } from "../sessions/picks";
import { PINNED } from "./locate";
import { failureText, showFailure } from "./failures";
import { plain } from "../text";

const { t } = vscode.l10n;
const INSTALL = `pip install ${PINNED}`;

export class ServerCommands {
  constructor(
    private readonly library: Library,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  register(): vscode.Disposable {
    const table: Record<string, (target?: { folder?: string }) => Promise<unknown> | void> = {
      restart: () => this.restart(),
      install: () => this.howToInstall(),
      log: () => this.log.show(),
      adopt: (target) => this.withFolder(target, (folder) => this.adopt(folder)),
    };
    return vscode.Disposable.from(
      ...Object.entries(table).map(([name, run]) => vscode.commands.registerCommand(`kore.ui.${name}`, run)),
      this.library.server.onState((state) => {
        if (state === "failed") void this.install();
      }),
      vscode.workspace.onDidChangeConfiguration((event) => {
        const ours = [
          ...["path", "agent", "rules", "lspBridge", "defaultMode", "sessionNamePrefix", "maxSessions"],
          ...["keepDays", "keepBytes", "backups"],
        ];
        if (ours.some((name) => event.affectsConfiguration(`kore.${name}`))) this.startAnew();
      }),
      vscode.workspace.onDidGrantWorkspaceTrust(() => this.startAnew()),
    );
  }

  /** What a server is told at its start has changed; one that was not needed yet is not needed for that. */
  private startAnew(): void {
    if (this.library.server.state !== "stopped") void this.restart();
  }

  /** A turn would be stopped, also one that a pause holds, so its user is asked first. */
  async restart(): Promise<void> {
    const running = this.library.shelves.flatMap(({ sessions }) => sessions).filter(({ status, turn }) => status === "running" || (status === "paused" && turn));
    if (running.length && this.library.server.state === "running") {
      const restart = t("Restart");
      const text = t("Sessions that are still answering: {0}. A restart stops them.", running.length);
      if ((await vscode.window.showWarningMessage(text, { modal: true }, restart)) !== restart) return;
    }
    await this.library.server.start();
  }

  /** Whether one is there already shows when it is looked for; where there is none, its end says so. */
  private async howToInstall(): Promise<void> {
    const { server } = this.library;
    const { state } = server;
    if (state !== "stopped") return this.install();
    await server.start();
    if (server.state === "running") void vscode.window.showInformationMessage(t("The Kore server is installed and runs."));
  }

  /** Say why there is no server, and what to do about it. */
  async install(): Promise<void> {
    const { failure, state } = this.library.server;
    const [copy, uvx, settings, log] = [t("Copy command"), t("Fetch with uvx"), t("Open Settings"), t("Show Log")];
    if (state !== "failed" || failure instanceof Error) {
      const text = failure ? t("The Kore server did not start: {0}", failureText(failure)) : t("The Kore server is installed with: {0}", INSTALL);
      const chosen = await vscode.window.showErrorMessage(text, log, copy);
      if (chosen === log) this.log.show();
      if (chosen === copy) await vscode.env.clipboard.writeText(INSTALL);
      return;
    }
    const setting = failure?.missing === "setting";
    const text = setting
      ? t("There is no server to run at “{0}”, which the setting kore.path names.", plain(failure.path))
      : t("The Kore server was not found: not in your Python environment, not in this folder, not on the search path. To install it: {0}", INSTALL);
    const chosen = await vscode.window.showWarningMessage(text, ...(setting ? [settings, log] : [copy, uvx, settings]));
    if (chosen === copy) await vscode.env.clipboard.writeText(INSTALL);
    if (chosen === settings) await vscode.commands.executeCommand("workbench.action.openSettings", "kore.path");
    if (chosen === log) this.log.show();
    if (chosen === uvx && !(await this.library.server.startByUvx())) {
      void vscode.window.showWarningMessage(t("uvx is not installed."));
    }
  }

  /** Sessions that came with somebody's folder are copied row by row, once the user says so. */
  private async adopt(folder: string): Promise<void> {
    const adopt = t("Take over");
    const text = t("The sessions of “{0}” were made by somebody else. Copy them into a store of your own?", plain(this.library.folderName(folder)));
    if ((await vscode.window.showWarningMessage(text, { modal: true }, adopt)) !== adopt) return;
    try {
      const { sessions } = await this.library.server.request("kore/store/adopt", { folder });
      void vscode.window.showInformationMessage(t("Sessions taken over: {0}", sessions));
    } catch (error) {
      void showFailure(error);
    }
    await this.library.refresh();
  }

  private async withFolder(target: { folder?: string } | undefined, run: (folder: string) => Promise<void>): Promise<void> {
    const folder = target?.folder ?? (await pickFolder(this.library));
    if (folder !== undefined) await run(folder);
  }
}
