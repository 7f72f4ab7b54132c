import assert from "node:assert/strict";
import { test } from "node:test";
import type { SearchResult, Session } from "../src/protocol";
import { hitRows, marked } from "../src/sessions/hits";
import { tagsIn } from "../src/sessions/tags";
import { label, plain, shortened, visible, visibleLines } from "../src/text";

test("control and reordering signs of foreign names are shown, not obeyed", () => {
  assert.equal(visible("a\u202eb\u0007\nc"), "a\ufffdb\u2407 c");
  assert.equal(visible("登录 😀"), "登录 😀");
});

test("in a text of many lines the lines and tabs stay, and what reorders them is shown", () => {
  assert.equal(visibleLines("+\ta\u202eb\u2066\r\n-\tc\u001b[2J\rd"), "+\ta\ufffdb\ufffd\n-\tc\u241b[2J d");
});

test("a name makes no icon in a label and no link in a notice", () => {
  assert.equal(label("$(trash) x"), "\\$(trash) x");
  assert.doesNotMatch(plain("[click](command:workbench.action.quit)"), /\]\(/);
});

test("a name is never cut through a character", () => {
  assert.equal(shortened("ab😀cd", 4), "ab…");
  assert.equal(shortened("abc", 3), "abc");
});

test("matches stand between signs, by UTF-16 units", () => {
  assert.equal(marked("😀登录限流", [[2, 4]]), "😀‹登录›限流");
  assert.equal(marked("abc", [[2, 9], [1, 0]]), "abc");
});

test("each matching message has a row, and a session only where its name matches", () => {
  const session = { id: "s", name: "$(x)" } as Session;
  const matches = [{ messageId: "m", seq: 7, role: "user" as const, timestamp: 0, snippet: "abc", ranges: [[0, 1]] }];
  const rows = (nameRanges?: number[][]) =>
    hitRows({ hits: [{ session, score: 1, matches, ...(nameRanges ? { nameRanges } : {}) }], truncated: false } as SearchResult);
  assert.deepEqual(rows([[0, 1]]).map((row) => [row.kind, row.label]), [["session", "\\$(x)"], ["message", "‹a›bc"]]);
  assert.deepEqual(rows().map((row) => row.kind), ["message"]);
});

test("tags are typed between commas of either width, each counts once", () => {
  assert.deepEqual(tagsIn(" api, #登录，api、 "), ["api", "登录"]);
  assert.deepEqual(tagsIn(" "), []);
  assert.equal(tagsIn(Array.from({ length: 65 }, (_, index) => index).join()), "tooMany");
  assert.equal(tagsIn("x".repeat(101)), "tooLong");
});
