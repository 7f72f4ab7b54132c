// Wires the parts together at activation; holds nothing else.
import * as vscode from "vscode";
import { ChatCommands } from "./chat/commands";
import { Permissions } from "./chat/permissions";
import { PermissionCommands } from "./chat/remembered";
import { CHAT_VIEW, ChatView } from "./chat/view";
import { ServerCommands } from "./server/commands";
import { EncryptionCommands } from "./server/encryption";
import { showFailure } from "./server/failures";
import { ProviderKeys } from "./server/keys";
import { Passphrases } from "./server/passphrases";
import { Server } from "./server/server";
import { Unlocker } from "./server/unlock";
import { Upkeep } from "./server/upkeep";
import { AgentCommands } from "./sessions/agents";
import { SessionCommands, type Meant } from "./sessions/commands";
import { LabelCommands } from "./sessions/labels";
import { Library } from "./sessions/library";
import { Offers } from "./sessions/offers";
import { StatusBar } from "./sessions/statusBar";
import { Transcripts } from "./sessions/transcript";
import { SessionTree, type Node } from "./sessions/tree";
import { Walkthrough } from "./walkthrough";

let server: Server | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("Kore", { log: true });
  const serverLog = vscode.window.createOutputChannel("Kore Server");
  server = new Server(log, serverLog);
  const library = new Library(server);
  const transcripts = new Transcripts(server);
  const passphrases = new Passphrases(context.secrets);
  const unlocker = new Unlocker(library, passphrases);
  const upkeep = new Upkeep(library);
  const tree = new SessionTree(library);
  const chat = new ChatView(vscode.Uri.joinPath(context.extensionUri, "dist", "webview"), library, transcripts);
  const permissions = new Permissions(
    server,
    (sessionId) => chat.sees(sessionId),
    ({ sessionId }) => library.fullName(library.book.find(sessionId)),
    ({ sessionId: id }, from) => {
      const folder = from ?? library.book.find(id)?.folder ?? library.folder;
      if (folder !== undefined) void jump({ id, folder }).catch(showFailure);
    },
  );
  chat.permissions = permissions;

  async function jump(session: { id: string; folder: string } | undefined, seq?: number): Promise<void> {
    if (!session) return;
    const { id: sessionId, folder } = session;
    library.choose(folder);
    await library.server.request("kore/session/switch", { sessionId, folder });
    await chat.open(session, seq);
  }

  const sessions = new SessionCommands(library, jump);
  const meant: Meant = (target, question) => sessions.meant(target, question);

  context.subscriptions.push(
    library.server.onEvent((event) => {
      if (event.type === "store.error") void showFailure({ data: event.data.error });
    }),
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
    vscode.commands.registerCommand("kore.ui.question", () => permissions.look()),
    vscode.window.createTreeView<Node>("kore.sessions", { treeDataProvider: tree }),
    vscode.window.registerWebviewViewProvider(CHAT_VIEW, chat),
    new StatusBar(library, () => permissions.first, permissions.onChange),
    sessions.register(),
    new LabelCommands(library, meant, jump).register(),
    new AgentCommands(library, meant).register(),
    new ChatCommands(library, chat, transcripts).register(),
    new PermissionCommands(library).register(),
    new EncryptionCommands(library, passphrases, unlocker).register(),
    upkeep.register(),
    new Walkthrough(library),
    new Offers(library, upkeep, context.globalState),
    new ProviderKeys(server, context.secrets),
    new ServerCommands(library, log).register(),
  );
  void startWhereUsed(server);
}

/** At once where a folder has sessions; elsewhere at the first use, as a folder without any needs no process. */
async function startWhereUsed(server: Server): Promise<void> {
  const there = ({ uri }: vscode.WorkspaceFolder): Thenable<boolean> =>
    vscode.workspace.fs.stat(vscode.Uri.joinPath(uri, ".kore")).then(() => true, () => false);
  const found = await Promise.all((vscode.workspace.workspaceFolders ?? []).map(there));
  if (found.some(Boolean)) server.use();
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}
