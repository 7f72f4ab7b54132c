// Tests that lean on each other, and how they wait: whatever is asserted of a screen or a file is waited for first.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";

/** How long is waited for anything; it only matters where a test fails. */
export const LONG = Number(process.env.KORE_E2E_PATIENCE ?? 90_000);
const PAUSE_MS = 100;

/** `step(name, run)`, as `test`. `screen` gives the window whose picture is kept when a step fails; the rest is skipped. */
export function stepper(screen) {
  let failed = false;
  return (name, run) =>
    test(name, { timeout: 3 * LONG }, async (context) => {
      if (failed) return context.skip("a step before failed");
      try {
        await run();
      } catch (error) {
        failed = true;
        await screen()?.shot("failed").catch(() => undefined);
        throw error;
      }
    });
}

/** Wait until `read()` gives what is wanted: something equal, or a text that matches; fails with what it gave last. */
export async function becomes(read, wanted, what = "in the end") {
  const [holds, check] = wanted instanceof RegExp
    ? [(value) => wanted.test(value), assert.match]
    : [(value) => isDeepStrictEqual(value, wanted), assert.deepEqual];
  for (const end = Date.now() + LONG; ; await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))) {
    const value = await read();
    if (holds(value)) return;
    if (Date.now() > end) check(value, wanted, `${what}: ${JSON.stringify(value)}`);
  }
}

/** What `read()` gives once it gives the same several times in a row: where something scrolled to, say. */
export async function still(read) {
  const last = [];
  await becomes(async () => {
    last.push(await read());
    return last.length > 3 && new Set(last.slice(-4)).size === 1;
  }, true, "at rest");
  return last.at(-1);
}

/** Try until it succeeds: for keys and clicks that are lost while an editor is busy. */
export async function retried(what, attempt) {
  for (const end = Date.now() + LONG; ; await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > end) throw new Error(`not in time: ${what}`, { cause: error });
    }
  }
}
