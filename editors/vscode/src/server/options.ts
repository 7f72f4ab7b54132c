// What the server is told at its start: the user's own settings, never the repository's.
import * as vscode from "vscode";
import { BRIDGED } from "./bridge";

export function initializationOptions(): Record<string, unknown> {
  const settings = vscode.workspace.getConfiguration("kore");
  const agent = settings.get<Record<string, unknown>>("agent", {});
  const rules = settings.get<unknown[]>("rules", []);
  const limits = ["keepDays", "keepBytes"].flatMap((name) => {
    const limit = settings.get<number | null>(name, null);
    return limit === null ? [] : [[name, limit]];
  });
  return {
    kore: {
      events: true,
      permissions: true,
      trusted: vscode.workspace.isTrusted,
      locale: vscode.env.language,
      lspBridge: settings.get("lspBridge", true) ? BRIDGED : [],
      ...(Object.keys(agent).length ? { agent } : {}),
      ...(rules.length ? { rules } : {}),
      // What is not set here is for the user's own config.toml to say.
      ...Object.fromEntries(limits),
      ...(settings.get("backups", true) ? {} : { backups: false }),
    },
  };
}
