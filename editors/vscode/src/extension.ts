// Wires the parts together at activation; holds nothing else.
import * as vscode from "vscode";
import { ChatCommands } from "./chat/commands";
import { Permissions } from "./chat/permissions";
import { CHAT_VIEW, ChatView } from "./chat/view";
import { ServerCommands } from "./server/commands";
import { Server } from "./server/server";
import { Unlocker } from "./server/unlock";
import { SessionCommands } from "./sessions/commands";
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
  const chat = new ChatView(vscode.Uri.joinPath(context.extensionUri, "dist", "webview"), library, transcripts);
  const permissions = new Permissions(
    server,
    (sessionId) => chat.sees(sessionId),
    ({ sessionId }) => void jump(library.book.find(sessionId)),
  );
  chat.permissions = permissions;

  async function jump(session: { id: string; folder: string } | undefined, seq?: number): Promise<void> {
    if (!session) return;
    const { id: sessionId, folder } = session;
    library.choose(folder);
    await library.server.request("kore/session/switch", { sessionId, folder });
    await chat.open(session, seq);
  }

  context.subscriptions.push(
    log,
    serverLog,
    server,
    library,
    transcripts,
    unlocker,
    tree,
    chat,
    permissions,
    permissions.onChange(() => chat.showPermissions()),
    vscode.window.createTreeView<Node>("kore.sessions", { treeDataProvider: tree }),
    vscode.window.registerWebviewViewProvider(CHAT_VIEW, chat),
    new StatusBar(library, () => permissions.count, permissions.onChange),
    new SessionCommands(library, jump).register(),
    new ChatCommands(library, chat, transcripts).register(),
    new ServerCommands(library, unlocker, log).register(),
  );
  void server.start();
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}
