// How a session looks in a list: its icon, and the words that menus are chosen by. Pure.
import type { KoreErrorKind, Session } from "../protocol";

export interface Look {
  icon: string;
  color?: string;
  context: string;
}

export function lookOf(session: Session): Look {
  const words = ["session", session.status];
  if (session.pinned) words.push("pinned");
  if (session.active) words.push("active");
  return { ...iconOf(session), context: words.join(" ") };
}

function iconOf(session: Session): { icon: string; color?: string } {
  if (session.status === "running") return { icon: "loading~spin" };
  if (session.status === "paused") return { icon: "debug-pause", color: "charts.yellow" };
  if (session.active) return { icon: "comment-discussion", color: "charts.green" };
  if (session.pinned) return { icon: "pinned" };
  if (session.status === "closed") return { icon: "circle-slash", color: "disabledForeground" };
  return { icon: "comment" };
}

export function statusBarIcon(session: Session | undefined): string {
  if (session?.status === "running") return "loading~spin";
  return session?.status === "paused" ? "debug-pause" : "comment-discussion";
}

export function troubleIcon(trouble: KoreErrorKind): string {
  return trouble === "storeLocked" ? "lock" : "warning";
}
