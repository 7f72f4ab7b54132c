// The words of the chat's page, in the user's language.
import * as vscode from "vscode";
import type { StopReason } from "../protocol";
import type { ChatStrings } from "./messages";

const { t } = vscode.l10n;

export function chatStrings(): ChatStrings {
  return {
    you: t("You"),
    agent: t("Agent"),
    system: t("System"),
    tool: t("Tool"),
    prompt: t("Ask the agent. Enter sends, Shift+Enter begins a line"),
    note: t("This server has no agent: what you write is kept as a message"),
    send: t("Send"),
    stop: t("Stop"),
    queued: t("{0} waiting", "{0}"),
    thinking: t("Thinking"),
    older: t("Show older messages"),
    newer: t("Show newer messages"),
    latest: t("To the end"),
    copy: t("Copy"),
    copied: t("Copied"),
    insert: t("Insert into the editor"),
    fork: t("Fork from here"),
    edit: t("Edit"),
    editTitle: t("Go back to before this message and write it anew"),
    regenerate: t("Retry"),
    regenerateTitle: t("Go back to this message and have it answered anew"),
    cut: t("This message is long; only its beginning is shown."),
    openTranscript: t("Open the transcript"),
    interrupted: t("interrupted"),
    cancelled: t("cancelled"),
    permission: t("The agent asks for permission"),
    feedback: t("What it should do instead (optional)"),
    diff: t("Changes"),
    changed: t("This turn changed"),
    revert: t("Revert…"),
    revertThese: t("Revert these"),
    cancel: t("Cancel"),
    empty: t("Nothing has been said in this session yet."),
    none: t("What you write begins a session."),
    working: t("Working…"),
    input: t("Input"),
    output: t("Output"),
    switchSession: t("Switch session"),
    changeMode: t("Change the mode"),
    newSession: t("New session"),
    chooseAgent: t("Choose another…"),
    calls: {
      pending: t("pending"),
      inProgress: t("running"),
      completed: t("done"),
      failed: t("failed"),
      denied: t("denied"),
      cancelled: t("cancelled"),
    },
  };
}

/** What to say about how a turn ended; nothing where it simply ended. */
export function endText(reason: StopReason): string {
  return {
    endTurn: "",
    maxTokens: t("The answer reached the limit of its length."),
    maxTurns: t("The agent reached the limit of its steps."),
    refusal: t("The agent refused to answer."),
    cancelled: t("Stopped."),
    interrupted: t("The answer was interrupted."),
    error: t("The agent stopped with an error."),
  }[reason];
}
