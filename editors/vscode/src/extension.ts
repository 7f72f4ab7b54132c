// Wires the parts together at activation; holds nothing else.
import * as vscode from "vscode";
import { ServerCommands } from "./server/commands";
import { Server } from "./server/server";
import { Unlocker } from "./server/unlock";
import { asSession, SessionCommands } from "./sessions/commands";
import { Library } from "./sessions/library";
import { StatusBar } from "./sessions/statusBar";
import { Transcripts } from "./sessions/transcript";
import { SessionTree, type Node } from "./sessions/tree";

let server: Server | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("Kore", { log: true });
  const serverLog = vscode.window.createOutputChannel("Kore Server");
  server = new Server(log, serverLog);
  const library = new Library(server);
  const transcripts = new Transcripts(server);
  const unlocker = new Unlocker(library, context.secrets);
  const tree = new SessionTree(library);
  const nothing = new vscode.EventEmitter<void>();

  async function jump(session: { id: string; folder: string }, seq?: number): Promise<void> {
    const { id: sessionId, folder } = session;
    library.choose(folder);
    await library.server.request("kore/session/switch", { sessionId, folder });
    await transcripts.open(session, seq);
  }

  context.subscriptions.push(
    log,
    serverLog,
    server,
    library,
    transcripts,
    unlocker,
    tree,
    nothing,
    vscode.window.createTreeView<Node>("kore.sessions", { treeDataProvider: tree, showCollapseAll: false }),
    new StatusBar(library, () => 0, nothing.event),
    new SessionCommands(library, jump).register(),
    new ServerCommands(library, unlocker, log).register(),
    vscode.commands.registerCommand("kore.ui.transcript", async (target?: Node) => {
      const session = asSession(target) ?? library.session;
      if (session) await transcripts.open(session);
    }),
  );
  void server.start();
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}
