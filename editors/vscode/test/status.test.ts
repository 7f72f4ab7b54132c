import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { PermissionRequest } from "../src/protocol";
import { Library } from "../src/sessions/library";
import { items as found } from "../src/sessions/search";
import { StatusBar } from "../src/sessions/statusBar";
import { SessionTree } from "../src/sessions/tree";
import { FOLDER, Served, settled } from "./server";
import { EventEmitter, items, workspace, type Item } from "./vscode";

const NAME = "a\u202e$(trash)\u0007";

let server: Served, library: Library, item: Item, asked: PermissionRequest | undefined;
const changed = new EventEmitter<void>();

beforeEach(() => {
  items.length = 0;
  asked = undefined;
  workspace.workspaceFolders = [{ uri: FOLDER, name: NAME }, { uri: "file:///other", name: "other" }];
  server = new Served();
  const session = { id: "s", name: "talk", folder: FOLDER, mode: "build", status: "idle", active: true, tags: [], updatedAt: 1, messageCount: 1 };
  server.answers["kore/session/list"] = () => ({ sessions: [session] });
  library = new Library(server.port);
  new StatusBar(library, () => asked, changed.event as never);
  item = items[0]!;
});

test("before anything is used there is a way in, and nothing to wait for", () => {
  assert.deepEqual([item.text, item.command, item.shown], ["$(comment-discussion) Kore", "kore.ui.actions", true]);
});

test("a folder's name reorders nothing and makes no icon, in the status bar and in the tree", async () => {
  server.become("running");
  await settled();
  assert.equal(item.text, "$(comment-discussion) a\ufffd\\$(trash)\u2407 · talk · build · idle");
  const tree = new SessionTree(library);
  assert.equal(tree.getTreeItem({ kind: "folder", folder: FOLDER }).label, "a\ufffd$(trash)\u2407");
});

test("a click leads to the question that waits, and to what can be done when none does", async () => {
  server.become("running");
  await settled();
  asked = { requestId: "r", sessionId: "s", summary: "Change a.txt\u202e" } as PermissionRequest;
  changed.fire();
  assert.deepEqual([item.text, item.command], ["$(question) Permission needed · a\ufffd\\$(trash)\u2407 · talk", "kore.ui.question"]);
  assert.match(item.tooltip, /^Change a\.txt\ufffd\n/);
  asked = undefined;
  changed.fire();
  assert.equal(item.command, "kore.ui.actions");
});

test("sessions that can't be read are counted where they are missed, each once, and a click checks the store", async () => {
  const pages = [{ sessions: [], damaged: ["a", "b"], nextCursor: "c" }, { sessions: [] }, { sessions: [], damaged: ["b", "c"] }];
  server.answers["kore/session/list"] = () => pages.shift() ?? { sessions: [] };
  server.become("running");
  await settled();
  await library.more(FOLDER);
  const tree = new SessionTree(library);
  const node = tree.getChildren({ kind: "folder", folder: FOLDER })[0]!;
  const row = tree.getTreeItem(node);
  assert.deepEqual([row.label, row.command], ["Sessions that can't be read: 3", { command: "kore.ui.check", title: "", arguments: [node] }]);
  const rows = found({ hits: [], truncated: false, damaged: ["a"] }, "x");
  assert.deepEqual(rows.map(({ label, command }) => [label, command]).at(-1), ["$(info) Sessions that can't be read: 1", "kore.ui.check"]);
});
