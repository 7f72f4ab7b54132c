// The words for modes, statuses and troubles, in the user's language.
import * as vscode from "vscode";
import type { AgentMode, KoreErrorKind, SessionStatus, ToolCall } from "../protocol";
import { failureText } from "../server/failures";

const { t } = vscode.l10n;

export const MODES: readonly AgentMode[] = ["build", "plan", "general"];

export function modeName(mode: AgentMode): string {
  return { build: t("build"), plan: t("plan"), general: t("general") }[mode];
}

/** What a session's agent may do here: where the folder is not trusted it only reads, whatever its mode. */
export function modeHere(mode: AgentMode): string {
  return vscode.workspace.isTrusted ? modeName(mode) : t("{0} (restricted)", modeName("plan"));
}

export function modeDetail(mode: AgentMode): string {
  return {
    build: t("Full access: reads, edits, runs commands"),
    plan: t("Read only: looks and plans, changes nothing"),
    general: t("Balanced: reads freely, asks before it writes or runs"),
  }[mode];
}

export function statusName(status: SessionStatus): string {
  return { idle: t("idle"), running: t("running"), paused: t("paused"), closed: t("closed") }[status];
}

export function callStatusName({ status }: Pick<ToolCall, "status">): string {
  return {
    pending: t("pending"), inProgress: t("running"), completed: t("done"), failed: t("failed"), denied: t("denied"), cancelled: t("cancelled"),
  }[status];
}

/** Sessions that are left out of a list. */
export function damagedText(count: number): string {
  return t("Sessions that can't be read: {0}", count);
}

/** Short enough for a row. */
export function troubleName(kind: KoreErrorKind): string {
  if (kind === "storeLocked") return t("Encrypted and locked");
  return kind === "storeForeign" ? t("Made by somebody else") : troubleText(kind);
}

export function troubleText(kind: KoreErrorKind): string {
  return failureText({ data: { kind } });
}
