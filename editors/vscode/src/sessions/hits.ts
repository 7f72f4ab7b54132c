// Search results as rows to pick from. Pure.
import type { SearchResult, Session } from "../protocol";
import { label } from "../text";

export type HitRow =
  | { kind: "session"; session: Session; label: string }
  | { kind: "message"; session: Session; messageId: string; seq: number; role: string; label: string };

/**
 * A row for each session whose name matches, and one for each matching message.
 *
 * Each row says by itself what it is: pickers order their rows by how well the typed text matches.
 */
export function hitRows(result: SearchResult): HitRow[] {
  return result.hits.flatMap(({ session, matches, nameRanges }): HitRow[] => [
    ...(nameRanges?.length || !matches.length ? [{ kind: "session", session, label: label(session.name) } as const] : []),
    ...matches.map((match): HitRow => ({
      kind: "message",
      session,
      messageId: match.messageId,
      seq: match.seq,
      role: match.role,
      label: label(marked(match.snippet, match.ranges)),
    })),
  ]);
}

/** The snippet with its matches between signs, as rows of a picker can't be coloured. */
export function marked(snippet: string, ranges: readonly number[][]): string {
  let text = "";
  let end = 0;
  for (const [from = 0, to = 0] of ranges) {
    if (from < end || to <= from || to > snippet.length) continue;
    text += `${snippet.slice(end, from)}‹${snippet.slice(from, to)}›`;
    end = to;
  }
  return text + snippet.slice(end);
}
