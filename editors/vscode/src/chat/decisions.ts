// Remembered answers and logged decisions as text. Pure.
import type { AgentMode, PermissionDecision, RememberedRule } from "../protocol";
import { textOf } from "../sessions/document";
import { visible } from "../text";

/** What exactly a remembered answer is about. */
export function ruleText({ tool, paths, argv }: Pick<RememberedRule, "tool" | "paths" | "argv">): string {
  return [tool, ...(argv.length ? argv : paths)].map((word) => (/\s/.test(word) ? JSON.stringify(word) : word)).join(" ");
}

export interface DecisionWords {
  outcome(decision: PermissionDecision): string;
  session(id: string): string;
  mode(mode: AgentMode): string;
  none: string;
}

/** A paragraph for each decision: when and how it fell, in which session, about what, and by which rule. */
export function decisionLog(title: string, decisions: readonly PermissionDecision[], words: DecisionWords): string {
  const out = [title, ""];
  for (const each of decisions) {
    const { toolCall } = each;
    const when = new Date(each.timestamp).toISOString().replace("T", " ").slice(0, 19);
    out.push(`${when}Z  ${words.outcome(each)}  (${words.mode(each.mode)}, ${each.rule})  ${words.session(each.sessionId)}`);
    out.push(`    ${visible(toolCall.name)}  ${visible(toolCall.title)}`);
    const asked = textOf(toolCall.arguments);
    if (asked) out.push(...asked.split(/\r\n|\r|\n/).map((line) => `    ${visible(line)}`));
    out.push("");
  }
  if (!decisions.length) out.push(words.none, "");
  return out.join("\n");
}
