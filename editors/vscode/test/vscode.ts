// As much of the editor's API as the parts under test ask for, in memory. Shows nothing: `told` has what would be shown.

type Listener<T> = (event: T) => void;

export class EventEmitter<T> {
  private readonly listeners = new Set<Listener<T>>();
  readonly event = (listener: Listener<T>): { dispose(): void } => {
    this.listeners.add(listener);
    return { dispose: () => void this.listeners.delete(listener) };
  };
  fire(event: T): void {
    for (const each of [...this.listeners]) each(event);
  }
  dispose(): void {
    this.listeners.clear();
  }
}

/** Notices that wait for their user; `choose` takes one of a notice's buttons, or none. */
export const told: { text: string; buttons: string[]; choose(button?: string): void }[] = [];

function tell(text: string, ...buttons: string[]): Promise<string | undefined> {
  return new Promise((choose) => told.push({ text, buttons, choose }));
}

export interface Item {
  text: string;
  tooltip: string;
  command: string;
  shown: boolean;
  show(): void;
  dispose(): void;
}
export const items: Item[] = [];

function createStatusBarItem(): Item {
  const item: Item = { text: "", tooltip: "", command: "", shown: false, show: () => (item.shown = true), dispose: () => (item.shown = false) };
  items.push(item);
  return item;
}

export class Id {
  constructor(readonly id: string) {}
}
export const ThemeColor = Id;
export class ThemeIcon extends Id {
  static readonly Folder = new ThemeIcon("folder");
}
export class TreeItem {
  constructor(readonly label: string) {}
}
export const TreeItemCollapsibleState = { Expanded: 2 };
export const StatusBarAlignment = { Left: 1 };
export class CancellationError extends Error {}

const never = new EventEmitter<never>().event;
/** What the user has set, by name without `kore.`. */
export const settings: Record<string, unknown> = {};

export const workspace = {
  isTrusted: true,
  getConfiguration: () => ({ get: (name: string, otherwise: unknown) => settings[name] ?? otherwise }),
  workspaceFolders: [] as { uri: string; name: string }[],
  onDidChangeWorkspaceFolders: never,
};
export const window = {
  showInformationMessage: tell,
  showWarningMessage: tell,
  showErrorMessage: tell,
  createStatusBarItem,
  onDidChangeActiveTextEditor: never,
  onDidChangeTextEditorSelection: never,
};
export const commands = { executeCommand: async (): Promise<void> => undefined };
export const l10n = { t: (text: string, ...words: unknown[]): string => text.replace(/\{(\d)\}/g, (_, index) => String(words[Number(index)])) };
export const env = { language: "en" };
