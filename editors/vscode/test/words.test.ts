import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const json = (file: string): Record<string, string> => JSON.parse(readFileSync(file, "utf8"));
const holes = (text: string): string[] => (text.match(/\{\d+\}|%\w+%/g) ?? []).sort();

function sources(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const file = join(directory, entry.name);
    return entry.isDirectory() ? sources(file) : file.endsWith(".ts") ? [file] : [];
  });
}

/** Every text that the code asks the user's language for. */
function asked(): Set<string> {
  const found = new Set<string>();
  for (const file of sources("src")) {
    for (const [, literal] of readFileSync(file, "utf8").matchAll(/\bt\(\s*("(?:[^"\\]|\\.)*")/g)) found.add(JSON.parse(literal!));
  }
  return found;
}

test("every text in the code has a Chinese one, and no Chinese text is left over", () => {
  const chinese = json("l10n/bundle.l10n.zh-cn.json");
  assert.deepEqual([...asked()].sort(), Object.keys(chinese).sort());
});

test("a Chinese text has the same places to fill as the English one", () => {
  for (const [english, chinese] of Object.entries(json("l10n/bundle.l10n.zh-cn.json"))) {
    assert.deepEqual(holes(chinese), holes(english), english);
    assert.notEqual(chinese.trim(), "");
  }
});

test("the manifest's texts exist in English and in Chinese, and none is left over", () => {
  const manifest = readFileSync("package.json", "utf8");
  const used = [...manifest.matchAll(/"%([\w.]+)%"/g)].map((match) => match[1]!);
  const keys = [...new Set(used)].sort();
  assert.deepEqual(Object.keys(json("package.nls.json")).sort(), keys);
  assert.deepEqual(Object.keys(json("package.nls.zh-cn.json")).sort(), keys);
});

test("every page of the walkthrough is there in Chinese, too", () => {
  const { walkthroughs } = JSON.parse(readFileSync("package.json", "utf8")).contributes;
  const pages: string[] = walkthroughs[0].steps.map((step: { media: { markdown: string } }) => step.media.markdown);
  assert.ok(pages.length > 3);
  for (const page of pages) {
    assert.doesNotMatch(readFileSync(page, "utf8"), /[\u4e00-\u9fff]/, page);
    assert.match(readFileSync(page.replace(/\.md$/, ".nls.zh-cn.md"), "utf8"), /[\u4e00-\u9fff]/, page);
  }
});

test("the manifest declares every command that it shows, under an id of its own", () => {
  const { contributes } = JSON.parse(readFileSync("package.json", "utf8"));
  const declared: string[] = contributes.commands.map((each: { command: string }) => each.command);
  const shown: { command: string }[] = Object.values(contributes.menus as Record<string, { command: string }[]>).flat();
  for (const { command } of shown) assert.ok(declared.includes(command), command);
  for (const command of declared) assert.match(command, /^kore\.ui\./);
});

test("settings that give authority can't be set by a workspace", () => {
  const { properties } = JSON.parse(readFileSync("package.json", "utf8")).contributes.configuration;
  for (const name of ["path", "agent", "rules", "lspBridge", "defaultMode", "trace.server", "keepDays", "keepBytes", "backups"]) {
    assert.equal(properties[`kore.${name}`].scope, "machine", name);
  }
});
