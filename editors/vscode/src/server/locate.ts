// Where the server's command is, as a pure search over given surroundings. Starts nothing.
import * as path from "node:path";

/** What the search may look at. Paths are absolute; `interpreters` are the Python executables an environment offers. */
export interface Surroundings {
  configured: string;
  interpreters: readonly string[];
  folders: readonly string[];
  trusted: boolean;
  searchPath: string;
  home: string;
  windows: boolean;
  isExecutable(file: string): Promise<boolean>;
  /** The path behind all symbolic links, or the path itself where there is none. */
  real(file: string): Promise<string>;
}

export interface Command {
  command: string;
  args: string[];
  from: "setting" | "environment" | "folder" | "path" | "uvx";
}

/** Why there is none: the setting names something that can't be run, or nothing was found anywhere. */
export type Missing = { missing: "setting"; path: string } | { missing: "everywhere" };

const SERVE = ["serve", "--stdio"];

/** The release that is fetched when the user asks for it. */
export const PINNED = "kore-ls==0.1.0";

/**
 * The server's command: the setting, the active Python environment, a `.venv` or `venv` in a folder, the search path.
 * In a workspace that is not trusted nothing inside its folders is run, whatever leads there.
 */
export async function locate(around: Surroundings): Promise<Command | Missing> {
  if (around.configured.trim()) return fromSetting(around, around.configured.trim());
  for (const interpreter of around.interpreters) {
    const file = beside(around, path.dirname(interpreter));
    if (await usable(around, file)) return { command: file, args: SERVE, from: "environment" };
  }
  if (around.trusted) {
    for (const folder of around.folders) {
      for (const name of [".venv", "venv"]) {
        const file = inEnvironment(around, path.join(folder, name));
        if (await usable(around, file)) return { command: file, args: SERVE, from: "folder" };
      }
    }
  }
  const file = await onSearchPath(around, "kore-ls");
  return file ? { command: file, args: SERVE, from: "path" } : { missing: "everywhere" };
}

/** The command that fetches the pinned release by `uvx`, if that is installed. Only for a user who asked for it. */
export async function locateByUvx(around: Surroundings): Promise<Command | undefined> {
  const uvx = await onSearchPath(around, "uvx");
  return uvx ? { command: uvx, args: ["--from", PINNED, "kore-ls", ...SERVE], from: "uvx" } : undefined;
}

async function fromSetting(around: Surroundings, configured: string): Promise<Command | Missing> {
  const named = configured.startsWith("~") ? path.join(around.home, configured.slice(1)) : configured;
  if (path.isAbsolute(named)) {
    for (const file of [named, inEnvironment(around, named)]) {
      if (await usable(around, file)) return { command: file, args: SERVE, from: "setting" };
    }
  }
  return { missing: "setting", path: configured };
}

async function onSearchPath(around: Surroundings, name: string): Promise<string | undefined> {
  for (const directory of around.searchPath.split(path.delimiter)) {
    if (!path.isAbsolute(directory)) continue;
    const file = path.join(directory, around.windows ? `${name}.exe` : name);
    if (await usable(around, file)) return file;
  }
  return undefined;
}

async function usable(around: Surroundings, file: string): Promise<boolean> {
  if (!(await around.isExecutable(file))) return false;
  if (around.trusted) return true;
  for (const each of [file, await around.real(file)]) {
    for (const folder of around.folders) {
      if (isInside(each, folder) || isInside(each, await around.real(folder))) return false;
    }
  }
  return true;
}

function beside(around: Surroundings, directory: string): string {
  return path.join(directory, around.windows ? "kore-ls.exe" : "kore-ls");
}

function inEnvironment(around: Surroundings, directory: string): string {
  return beside(around, path.join(directory, around.windows ? "Scripts" : "bin"));
}

function isInside(file: string, folder: string): boolean {
  const relative = path.relative(folder, file);
  return relative === "" || (relative !== ".." && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative));
}
