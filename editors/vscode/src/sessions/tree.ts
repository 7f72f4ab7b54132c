// The tree of sessions, per folder where several are open. Shows what the library knows and changes nothing.
import * as vscode from "vscode";
import type { KoreErrorKind, Session } from "../protocol";
import { visible } from "../text";
import { damagedText, modeHere, statusName, troubleName, troubleText } from "./words";
import type { Library } from "./library";
import { lookOf, troubleIcon } from "./look";

export type Node =
  | { kind: "folder"; folder: string }
  | { kind: "session"; folder: string; session: Session }
  | { kind: "trouble"; folder: string; trouble: KoreErrorKind }
  | { kind: "damaged"; folder: string; count: number }
  | { kind: "more"; folder: string };

export class SessionTree implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  private readonly changes = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.changes.event;
  private readonly listening: vscode.Disposable;

  constructor(private readonly library: Library) {
    this.listening = library.onChange(() => this.changes.fire());
  }

  getChildren(node?: Node): Node[] {
    this.library.server.use(); // asked for by a view that is seen
    if (this.library.server.state !== "running" && this.library.server.state !== "starting") return [];
    const shelves = this.library.shelves;
    if (node) return node.kind === "folder" ? this.inFolder(node.folder) : [];
    if (shelves.length > 1) return shelves.map(({ folder }) => ({ kind: "folder", folder }));
    return shelves.flatMap(({ folder }) => this.inFolder(folder));
  }

  private inFolder(folder: string): Node[] {
    const shelf = this.library.book.shelf(folder);
    if (!shelf) return [];
    if (shelf.trouble) return [{ kind: "trouble", folder, trouble: shelf.trouble }];
    const nodes: Node[] = shelf.sessions.map((session) => ({ kind: "session", folder, session }));
    if (shelf.damaged.length) nodes.unshift({ kind: "damaged", folder, count: shelf.damaged.length });
    if (shelf.nextCursor) nodes.push({ kind: "more", folder });
    return nodes;
  }

  getTreeItem(node: Node): vscode.TreeItem {
    switch (node.kind) {
      case "folder": return this.folderItem(node.folder);
      case "session": return this.sessionItem(node.session);
      case "trouble": return this.troubleItem(node);
      case "damaged": return this.damagedItem(node);
      case "more": return this.moreItem(node);
    }
  }

  private folderItem(folder: string): vscode.TreeItem {
    const item = new vscode.TreeItem(this.library.folderName(folder), vscode.TreeItemCollapsibleState.Expanded);
    item.id = folder;
    item.iconPath = vscode.ThemeIcon.Folder;
    item.contextValue = "folder";
    return item;
  }

  private sessionItem(session: Session): vscode.TreeItem {
    const look = lookOf(session);
    const item = new vscode.TreeItem(visible(session.name));
    item.id = `${session.folder}#${session.id}`;
    item.iconPath = new vscode.ThemeIcon(look.icon, look.color ? new vscode.ThemeColor(look.color) : undefined);
    item.contextValue = look.context;
    const words = [modeHere(session.mode)];
    if (session.status !== "idle") words.push(statusName(session.status));
    if (session.pinned) words.unshift(vscode.l10n.t("pinned"));
    if (session.active) words.unshift(vscode.l10n.t("active"));
    item.description = words.join(" · ");
    item.tooltip = this.tooltip(session);
    item.accessibilityInformation = { label: `${visible(session.name)}, ${words.join(", ")}` };
    item.command = { command: "kore.ui.open", title: "", arguments: [session] };
    return item;
  }

  private tooltip(session: Session): string {
    const { t } = vscode.l10n;
    const lines = [visible(session.name), t("Messages: {0}", session.messageCount)];
    lines.push(t("Changed {0}", new Date(session.updatedAt).toLocaleString(vscode.env.language)));
    if (session.tags.length) lines.push(session.tags.map((tag) => `#${visible(tag)}`).join(" "));
    if (session.description) lines.push(visible(session.description));
    if (session.lastMessage) lines.push(visible(session.lastMessage.preview));
    return lines.join("\n");
  }

  private troubleItem(node: Node & { kind: "trouble" }): vscode.TreeItem {
    const locked = node.trouble === "storeLocked";
    const item = new vscode.TreeItem(troubleName(node.trouble));
    item.tooltip = troubleText(node.trouble);
    item.id = `${node.folder}#trouble`;
    item.iconPath = new vscode.ThemeIcon(troubleIcon(node.trouble));
    const foreign = node.trouble === "storeForeign";
    item.contextValue = locked ? "locked" : foreign ? "foreign" : "trouble";
    if (locked || foreign) item.command = { command: locked ? "kore.ui.unlock" : "kore.ui.adopt", title: "", arguments: [node] };
    return item;
  }

  private damagedItem(node: Node & { kind: "damaged" }): vscode.TreeItem {
    const item = new vscode.TreeItem(damagedText(node.count));
    item.tooltip = vscode.l10n.t("Something in the store was damaged. Click to check the stored sessions, and to repair what can be repaired");
    item.id = `${node.folder}#damaged`;
    item.iconPath = new vscode.ThemeIcon("warning", new vscode.ThemeColor("list.warningForeground"));
    item.contextValue = "damaged";
    item.command = { command: "kore.ui.check", title: "", arguments: [node] };
    return item;
  }

  private moreItem(node: Node & { kind: "more" }): vscode.TreeItem {
    const item = new vscode.TreeItem(vscode.l10n.t("Show more"));
    item.id = `${node.folder}#more`;
    item.iconPath = new vscode.ThemeIcon("ellipsis");
    item.command = { command: "kore.ui.more", title: "", arguments: [node] };
    return item;
  }

  dispose(): void {
    this.listening.dispose();
    this.changes.dispose();
  }
}
