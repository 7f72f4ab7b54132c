import assert from "node:assert/strict";
import { test } from "node:test";
import { Latest } from "../src/sessions/latest";
import { Single } from "../src/server/single";

interface Source {
  token: undefined;
  cancelled: boolean;
  cancel(): void;
}

function source(): Source {
  return { token: undefined, cancelled: false, cancel() { this.cancelled = true; } };
}

test("a newer query cancels the older one, whose late answer is not shown", async () => {
  const asked: { question: string; source: Source; answer: (text: string) => void }[] = [];
  const shown: string[] = [];
  let wake: () => void = () => undefined;
  const latest = new Latest<Source, string>(
    0, source,
    (question, from) => new Promise((answer) => { asked.push({ question, source: from, answer }); wake(); }),
    (_, result) => { shown.push(result); wake(); },
    (error) => assert.fail(String(error)),
  );
  const next = (): Promise<void> => new Promise((resolve) => (wake = resolve));

  let step = next();
  latest.put("登");
  await step;
  step = next();
  latest.put("登录");
  assert.equal(asked[0]!.source.cancelled, true);
  await step;
  step = next();
  asked[0]!.answer("old");
  asked[1]!.answer("new");
  await step;
  assert.deepEqual(shown, ["new"]);
});

test("a query that was replaced before its time is never asked", async () => {
  const asked: string[] = [];
  await new Promise<void>((done) => {
    const latest = new Latest<Source, void>(0, source, async (question) => void asked.push(question), () => done(), (error) => assert.fail(String(error)));
    for (const text of ["a", "ab", "abc"]) latest.put(text);
  });
  assert.deepEqual(asked, ["abc"]);
});

test("many restarts at once are one restart, and one more for what came during it", async () => {
  const ends: (() => void)[] = [];
  const single = new Single(() => new Promise((end) => ends.push(end)));
  const runs = [single.run(), single.run(), single.run()];
  assert.equal(ends.length, 1);
  ends[0]!();
  await runs[0];
  while (ends.length < 2) await Promise.resolve();
  ends[1]!();
  await Promise.all(runs);
  assert.equal(ends.length, 2);
});
