// What `locate` looks at, as it is on this machine: settings, environments, files.
import { constants, promises as fs } from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import * as vscode from "vscode";
import type { Surroundings } from "./locate";

export async function surroundings(): Promise<Surroundings> {
  const folders = (vscode.workspace.workspaceFolders ?? []).filter((each) => each.uri.scheme === "file");
  return {
    configured: vscode.workspace.getConfiguration("kore").get("path", ""),
    interpreters: await interpreters(folders),
    folders: folders.map((each) => each.uri.fsPath),
    trusted: vscode.workspace.isTrusted,
    searchPath: process.env.PATH ?? "",
    home: os.homedir(),
    windows: process.platform === "win32",
    isExecutable,
    real: async (file) => fs.realpath(file).catch(() => path.resolve(file)),
  };
}

/** Whether there is a regular file that may be run. An environment's interpreter can be gone although it is reported. */
async function isExecutable(file: string): Promise<boolean> {
  try {
    await fs.access(file, constants.X_OK);
    return (await fs.stat(file)).isFile();
  } catch {
    return false;
  }
}

interface PythonApi {
  environments?: {
    getActiveEnvironmentPath?(resource?: vscode.Uri): { path?: unknown };
    resolveEnvironment?(environment: unknown): Promise<{ executable?: { uri?: vscode.Uri } } | undefined>;
  };
}

/** The interpreters that the Python extension has chosen for the folders; none where it is not installed. */
async function interpreters(folders: readonly vscode.WorkspaceFolder[]): Promise<string[]> {
  const extension = vscode.extensions.getExtension<PythonApi>("ms-python.python");
  if (!extension) return [];
  const found = new Set<string>();
  try {
    const { environments } = await extension.activate();
    for (const resource of folders.length ? folders.map((each) => each.uri) : [undefined]) {
      const active = environments?.getActiveEnvironmentPath?.(resource);
      const resolved = active && (await environments?.resolveEnvironment?.(active));
      if (resolved?.executable?.uri) found.add(resolved.executable.uri.fsPath);
    }
  } catch {
    return [...found];
  }
  return [...found];
}
