import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Permissions } from "../src/chat/permissions";
import type { PermissionRequest } from "../src/protocol";
import { KORE_ERRORS } from "../src/protocol";
import { agentFailureText, failureText } from "../src/server/failures";
import { FOLDER, Served, settled } from "./server";
import { EventEmitter, told, workspace } from "./vscode";

const request = (requestId: string, more: Partial<PermissionRequest> = {}): PermissionRequest => ({
  requestId, sessionId: "s", turnId: "t", summary: "Change a.txt",
  toolCall: { id: "c", messageId: "m", name: "write", kind: "edit", title: "", status: "pending", arguments: {} },
  options: [{ id: "yes", name: "Allow", kind: "allowOnce" }, { id: "no", name: "Reject", kind: "rejectOnce" }],
  ...more,
});

const unheard = { isCancellationRequested: false, onCancellationRequested: new EventEmitter<never>().event };
const failing = (kind: string) => (): never => { throw Object.assign(new Error("refused"), { data: { kind } }); };

let server: Served, permissions: Permissions, seen: boolean, brought: unknown[];

beforeEach(() => {
  told.length = 0;
  brought = [];
  seen = false;
  workspace.workspaceFolders = [{ uri: FOLDER, name: "project" }];
  server = new Served();
  permissions = new Permissions(server.port, () => seen, () => "talk", (each, folder) => brought.push([each.requestId, folder]));
  server.become("running");
});

const open = (): string[] => permissions.of("s").map(({ requestId }) => requestId);

test("a question asked before this window came is there again, and gone with the server that asked it", async () => {
  server.answers["kore/permission/list"] = () => ({ requests: [request("r1")] });
  server.become("stopped");
  server.become("running");
  await settled();
  assert.deepEqual([open(), told.map(({ text }) => text)], [["r1"], ["The agent of “talk” asks for permission: Change a.txt"]]);
  server.become("starting");
  assert.deepEqual(open(), []);
});

test("a question that was answered elsewhere is gone, and a late click on its notice answers nothing", async () => {
  server.tell("permission.asked", { request: request("r1") });
  assert.deepEqual(open(), ["r1"]);
  server.tell("permission.resolved", { requestId: "r1", outcome: "allowOnce" });
  assert.deepEqual([open(), permissions.first], [[], undefined]);
  told[0]!.choose("Allow once");
  await settled();
  assert.deepEqual(server.sent.filter(([method]) => method === "kore/permission/answer"), []);
});

test("a question that is told of and asked is one question, answered once", async () => {
  const answer = server.permissions!(request("r1"), unheard);
  server.tell("permission.asked", { request: request("r1") });
  assert.deepEqual([open(), told.length], [["r1"], 1]);
  await permissions.answer("r1", "no", " not there ");
  assert.deepEqual(await answer, { outcome: "selected", optionId: "no", feedback: "not there" });
  assert.deepEqual(server.sent.map(([method]) => method), ["kore/permission/list"]);
});

test("an answer that did not arrive leaves the question there, and its user is told why", async () => {
  server.tell("permission.asked", { request: request("r1") });
  server.answers["kore/permission/answer"] = failing("storeBusy");
  told[0]!.choose("Reject");
  await settled();
  assert.deepEqual([open(), told[1]!.text], [["r1"], "Another program is writing to the sessions. Try again."]);
  delete server.answers["kore/permission/answer"];
  await permissions.answer("r1", "yes", "");
  assert.deepEqual([open(), server.sent.at(-1)], [[], ["kore/permission/answer", { requestId: "r1", outcome: "selected", optionId: "yes", folder: FOLDER }]]);
});

test("a change is not allowed by a notice that does not show it", () => {
  server.tell("permission.asked", { request: request("r1") });
  server.tell("permission.asked", { request: request("r2", { diff: "+1" }) });
  assert.deepEqual(told.map(({ buttons }) => buttons), [["Reject", "Allow once", "Look"], ["Reject", "Look"]]);
});

test("a question whose turn is over does not come back", async () => {
  server.tell("permission.asked", { request: request("r1") });
  server.answers["kore/permission/answer"] = failing("turnNotFound");
  await assert.rejects(permissions.answer("r1", "yes", ""));
  assert.deepEqual(open(), []);
});

test("no notice where the chat is in sight; what waits longest is brought up, in its own folder", () => {
  seen = true;
  permissions.look();
  assert.deepEqual([told.at(-1)!.text, brought], ["No agent asks anything.", []]);
  server.tell("permission.asked", { request: request("r1", { sessionId: "other" }) }, "other");
  server.tell("permission.asked", { request: request("r2") });
  permissions.look();
  assert.deepEqual([told.length, brought], [1, [["r1", FOLDER]]]);
});

test("every kind of failure has words of its own", () => {
  const texts = Object.keys(KORE_ERRORS).map((kind) => failureText(Object.assign(new Error("raw"), { data: { kind, problems: ["p"], reference: "r" } })));
  assert.equal(new Set(texts).size, texts.length);
  assert.ok(!texts.includes("raw"));
});

test("an agent's failure is worded by its reason and facts, in the user's language; an unknown reason by its kind", () => {
  const fault = (kind: string, params: object) => agentFailureText({ kind, message: "raw", params } as never);
  assert.equal(fault("agentFailed", { reason: "rateLimit", provider: "openai", retryAfter: 30 }), "openai allows no more requests now; try again in 30 s.");
  assert.equal(fault("agentFailed", { reason: "rateLimit", provider: "openai" }), "openai allows no more requests now.");
  assert.equal(fault("agentFailed", { reason: "new" }), "The agent stopped with an error. raw");
  assert.equal(fault("agentUnavailable", { reason: "extra", install: "[run](command:x)" }), "The server lacks an extra for this agent: [run] (command:x)");
  const error = Object.assign(new Error("raw"), { data: { kind: "storeReadOnly", params: { reason: "start" } } });
  assert.equal(failureText(error), "The sessions can be read but not changed.");
});

test("why an agent failed is told in its words where only it knows; nothing in them is obeyed", () => {
  assert.equal(agentFailureText({ kind: "agentFailed", message: "status 429 \u202e" } as never), "The agent stopped with an error. status 429 \ufffd");
  assert.equal(agentFailureText({ kind: "authRequired", message: "raw" } as never), "The agent needs a key or a login.");
  assert.equal(failureText(new Error("[run](command:x)")), "[run] (command:x)");
});
