// The ticks of the walkthrough's steps that are done without a command. Changes nothing else.
import * as vscode from "vscode";
import type { Library } from "./sessions/library";

const DONE = ["server", "session"] as const;

/** An editor passes over conditions that hold when it first reads a walkthrough: they come true while it is open, and only then. */
export class Walkthrough implements vscode.Disposable {
  private readonly listening: vscode.Disposable;
  private readonly told = new Map<string, boolean>();

  constructor(private readonly library: Library) {
    this.listening = vscode.Disposable.from(
      vscode.window.tabGroups.onDidChangeTabs(() => this.tell()),
      library.onChange(() => this.tell()),
    );
  }

  /** Whether a page of the editor's own is open: it does not tell which. */
  private get open(): boolean {
    return vscode.window.tabGroups.all.some(({ tabs }) => tabs.some(({ input }) => input === undefined));
  }

  private tell(): void {
    const { server, shelves } = this.library;
    const done = { server: server.state === "running", session: shelves.some(({ sessions }) => sessions.length > 0) };
    for (const each of DONE) {
      const holds = done[each] && this.open;
      if (this.told.get(each) === holds) continue;
      this.told.set(each, holds);
      void vscode.commands.executeCommand("setContext", `kore.done.${each}`, holds);
    }
  }

  dispose(): void {
    this.listening.dispose();
  }
}
