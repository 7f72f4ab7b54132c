import assert from "node:assert/strict";
import { test } from "node:test";
import { locate, locateByUvx, type Surroundings } from "../src/server/locate";

function around(executables: string[], more: Partial<Surroundings> = {}): Surroundings {
  return {
    configured: "",
    interpreters: [],
    folders: ["/src/project"],
    trusted: true,
    searchPath: "/usr/bin:/bin",
    home: "/home/ada",
    windows: false,
    isExecutable: async (file) => executables.includes(file),
    real: async (file) => file,
    ...more,
  };
}

const everywhere = [
  "/opt/kore/bin/kore-ls", "/envs/ai/bin/kore-ls", "/src/project/.venv/bin/kore-ls", "/usr/bin/kore-ls",
];

test("the setting comes before all else", async () => {
  const found = await locate(around(everywhere, { configured: "/opt/kore/bin/kore-ls", interpreters: ["/envs/ai/bin/python"] }));
  assert.deepEqual(found, { command: "/opt/kore/bin/kore-ls", args: ["serve", "--stdio"], from: "setting" });
});

test("the setting may name an environment, and the home directory", async () => {
  const found = await locate(around(["/home/ada/kore/bin/kore-ls"], { configured: "~/kore" }));
  assert.equal("command" in found && found.command, "/home/ada/kore/bin/kore-ls");
});

test("a setting that leads nowhere is told, and nothing else is started in its place", async () => {
  assert.deepEqual(await locate(around(everywhere, { configured: "/gone" })), { missing: "setting", path: "/gone" });
});

test("a relative setting is not looked up anywhere", async () => {
  const found = await locate(around(["kore-ls", "/src/project/kore-ls"], { configured: "kore-ls" }));
  assert.deepEqual(found, { missing: "setting", path: "kore-ls" });
});

test("then the Python environment, then the folder's own, then the search path", async () => {
  const order = [];
  for (let left = everywhere.slice(1); left.length; left = left.slice(1)) {
    const found = await locate(around(left, { interpreters: ["/envs/ai/bin/python"] }));
    order.push("command" in found && found.from);
  }
  assert.deepEqual(order, ["environment", "folder", "path"]);
});

test("without trust nothing in a folder is run: not its environment, not by the interpreter, not by the path", async () => {
  const inside = ["/src/project/.venv/bin/kore-ls", "/src/project/bin/kore-ls"];
  const found = await locate(around(inside, {
    trusted: false, interpreters: ["/src/project/.venv/bin/python"], searchPath: "/src/project/bin",
  }));
  assert.deepEqual(found, { missing: "everywhere" });
});

test("without trust a link that leads into a folder is not followed", async () => {
  const found = await locate(around(["/usr/bin/kore-ls"], {
    trusted: false, real: async (file) => (file === "/usr/bin/kore-ls" ? "/src/project/evil" : file),
  }));
  assert.deepEqual(found, { missing: "everywhere" });
});

test("a folder whose name only begins alike is another folder", async () => {
  const found = await locate(around(["/src/project-tools/kore-ls"], { trusted: false, searchPath: "/src/project-tools" }));
  assert.equal("command" in found && found.command, "/src/project-tools/kore-ls");
});

test("a directory in a folder whose name begins with two dots is inside", async () => {
  const found = await locate(around(["/src/project/..venv/bin/kore-ls"], { trusted: false, searchPath: "/src/project/..venv/bin" }));
  assert.deepEqual(found, { missing: "everywhere" });
});

test("relative parts of the search path are left out", async () => {
  assert.deepEqual(await locate(around(["bin/kore-ls", "./kore-ls"], { searchPath: "bin:.::" })), { missing: "everywhere" });
});

test("uvx fetches one pinned version", async () => {
  const found = await locateByUvx(around(["/usr/bin/uvx"]));
  assert.deepEqual(found?.args, ["--from", "kore-ls==0.1.0", "kore-ls", "serve", "--stdio"]);
  assert.equal(await locateByUvx(around([])), undefined);
});
