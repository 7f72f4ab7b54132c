import assert from "node:assert/strict";
import { test } from "node:test";
import { initializationOptions } from "../src/server/options";
import { settings } from "./vscode";

function told(given: Record<string, unknown>): Record<string, unknown> {
  for (const name of Object.keys(settings)) delete settings[name];
  Object.assign(settings, given);
  return initializationOptions()["kore"] as Record<string, unknown>;
}

test("what the user does not limit is left to the server's own configuration", () => {
  const names = Object.keys(told({ keepDays: null, keepBytes: null, backups: true }));
  assert.deepEqual(names.filter((name) => ["keepDays", "keepBytes", "backups", "agent", "rules"].includes(name)), []);
});

test("limits and the end of daily copies are told at the server's start", () => {
  const { keepDays, keepBytes, backups } = told({ keepDays: 90, keepBytes: 2_000_000_000, backups: false });
  assert.deepEqual([keepDays, keepBytes, backups], [90, 2_000_000_000, false]);
});
