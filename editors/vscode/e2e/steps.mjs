// Tests that lean on each other: after the first that fails, the rest would only be late.
import { test } from "node:test";
import { LONG } from "./editor.mjs";

/** `step(name, run)`, as `test`. `screen` gives the window whose picture is kept when a step fails. */
export function stepper(screen) {
  let failed = false;
  return (name, run) =>
    test(name, { timeout: 2 * LONG }, async (context) => {
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
