import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { ServerCommands } from "../src/server/commands";
import { Library } from "../src/sessions/library";
import { FOLDER, Served, settled } from "./server";
import { told, workspace } from "./vscode";

let server: Served, library: Library, commands: ServerCommands;
const session = { id: "s", name: "talk", folder: FOLDER, mode: "build", active: true, tags: [], updatedAt: 1, messageCount: 1 };
const turn = { turnId: "t", state: "running", startedAt: 1, openToolCalls: [], pendingPermissions: [], queued: 0 };

beforeEach(() => {
  told.length = 0;
  workspace.workspaceFolders = [{ uri: FOLDER, name: "project" }];
  server = new Served();
  library = new Library(server.port);
  commands = new ServerCommands(library, {} as never);
});

async function restarted(more: object): Promise<string[]> {
  server.answers["kore/session/list"] = () => ({ sessions: [{ ...session, ...more }] });
  server.become("running");
  await settled();
  void commands.restart();
  await settled();
  return told.map(({ text }) => text);
}

test("a restart is asked about while a turn runs, also one that is held by a pause", async () => {
  for (const status of ["running", "paused"]) {
    told.length = 0;
    assert.deepEqual(await restarted({ status, turn }), ["Sessions that are still answering: 1. A restart stops them."]);
    server.become("stopped");
  }
  assert.equal(server.starts, 0);
});

test("where no turn runs, nobody is asked about a restart", async () => {
  for (const status of ["idle", "paused", "closed"]) {
    assert.deepEqual(await restarted({ status }), []);
    server.become("stopped");
  }
  assert.equal(server.starts, 3);
});
