// The session that the chat shows: read from the server, followed by events, written to by prompts. Knows no page.
import * as vscode from "vscode";
import type { KoreErrorKind, Message, Session, SessionRewind, TurnList, TurnReverted } from "../protocol";
import { errorKind, type AnyEvent } from "../server/contract";
import { agentFailureText, failureText } from "../server/failures";
import type { Library } from "../sessions/library";
import { modeHere, statusName } from "../sessions/words";
import { visible } from "../text";
import type { HostMessage, NoticeCommand, ShownChanges, ShownSession } from "./messages";
import { AgentOffer } from "./offer";
import { shownCall, shownMessage } from "./present";
import { endText } from "./strings";

const PAGE = 60;
const BEFORE_REVEALED = 20;
const TURNS = 30;

type Key = { sessionId: string; folder: string };
export type PromptContext = { uri: string; range?: { start: vscode.Position; end: vscode.Position }; text?: string };

export class Conversation {
  private key: Key | undefined;
  private reading = 0;
  private waiting: AnyEvent[] | undefined;
  private queued = 0;
  private turns = 0;
  readonly offer: AgentOffer;

  constructor(
    private readonly library: Library,
    private readonly post: (message: HostMessage) => void,
  ) {
    this.offer = new AgentOffer(library.server, post);
  }

  get sessionId(): string | undefined {
    return this.key?.sessionId;
  }

  /** Show the session, at a message if one is named; what it says meanwhile follows. */
  async show(session: Key | undefined, reveal?: number): Promise<void> {
    const again = this.key !== undefined && this.key.sessionId === session?.sessionId && reveal === undefined;
    this.key = session;
    const reading = ++this.reading;
    if (!session) return this.showNone();
    this.waiting = [];
    try {
      await this.read(session, reading, again, reveal);
    } catch (error) {
      if (reading !== this.reading) return;
      this.key = undefined;
      this.post({ type: "notice", text: failureText(error), ...this.wayOut(errorKind(error)) });
    } finally {
      if (reading === this.reading) {
        const missed = this.waiting;
        this.waiting = undefined;
        for (const event of missed ?? []) this.follow(event);
      }
    }
  }

  private async read(key: Key, reading: number, again: boolean, reveal: number | undefined): Promise<void> {
    const { server } = this.library;
    const stretch = reveal === undefined ? {} : { afterSeq: Math.max(0, reveal - BEFORE_REVEALED - 1) };
    const [session, page, turns] = await Promise.all([
      server.request("kore/session/get", key),
      server.request("kore/message/list", { ...key, limit: PAGE, ...stretch }),
      server.has("kore/turn/list") ? server.request("kore/turn/list", { ...key, limit: TURNS }) : ({ turns: [] } as TurnList),
    ]);
    if (reading !== this.reading) return;
    const { messages, hasMore } = page;
    const { turn } = session;
    this.queued = turn?.queued ?? 0;
    this.post({
      type: "show",
      session: this.shown(session),
      messages: messages.map(shownMessage),
      older: reveal === undefined ? hasMore : (messages[0]?.seq ?? 1) > 1,
      newer: reveal === undefined ? false : hasMore,
      running: session.status === "running" || turn?.state === "running",
      queued: this.queued,
      ...(turn?.messageId ? { draft: { messageId: turn.messageId, text: turn.text ?? "", thinking: turn.thinking ?? "" } } : {}),
      openCalls: (turn?.toolCalls ?? turn?.openToolCalls ?? []).map(shownCall),
      changes: turns.turns.flatMap((each) => this.changes(each.turnId, each.lastSeq ?? each.firstSeq, each.changedFiles)),
      answers: this.answers,
      again,
      ...(reveal === undefined ? {} : { reveal }),
    });
    this.offer.prompt = messages.findLast(({ role }) => role === "user")?.content ?? "";
    this.offer.show(key.sessionId);
  }

  private showNone(): void {
    this.waiting = undefined;
    const { server, folder, book } = this.library;
    const { t } = vscode.l10n;
    if (server.state === "failed") {
      const action = { label: t("How to install the server"), command: "kore.ui.install" } as const;
      return this.post({ type: "notice", text: t("The Kore server is not running."), action });
    }
    if (folder === undefined) return this.post({ type: "notice", text: t("Open a folder first: sessions live in folders.") });
    const trouble = book.shelf(folder)?.trouble;
    if (trouble) {
      return this.post({ type: "notice", text: failureText({ data: { kind: trouble } }), ...this.wayOut(trouble) });
    }
    const nothing = { messages: [], older: false, newer: false, running: false, queued: 0, openCalls: [], changes: [] };
    this.post({ type: "show", ...nothing, answers: this.answers, again: false });
  }

  private wayOut(kind: KoreErrorKind | undefined): { action?: { label: string; command: NoticeCommand } } {
    const { t } = vscode.l10n;
    if (kind === "storeLocked") return { action: { label: t("Unlock the sessions"), command: "kore.ui.unlock" } };
    return kind === "storeForeign" ? { action: { label: t("Take over"), command: "kore.ui.adopt" } } : {};
  }

  private get answers(): boolean {
    return this.library.server.has("kore/turn/start");
  }

  async page(where: "older" | "newer", seq: number): Promise<void> {
    if (!this.key) return;
    const key = this.key;
    const bound = where === "older" ? { beforeSeq: seq } : { afterSeq: seq };
    const { messages, hasMore } = await this.library.server.request("kore/message/list", { ...key, limit: PAGE, ...bound });
    if (this.key === key) this.post({ type: "page", where, messages: messages.map(shownMessage), more: hasMore });
  }

  /** Send a prompt, into a new session where there is none; while a turn runs, it waits. Raises what the server refuses. */
  async send(prompt: string, context: PromptContext[] = []): Promise<void> {
    const { server } = this.library;
    const key = this.key ?? (await this.begin());
    if (!key) return;
    if (!this.answers) {
      await server.request("kore/message/add", { ...key, role: "user", content: prompt });
      return;
    }
    const started = await server.request("kore/turn/start", { ...key, prompt, whenBusy: "queue", ...(context.length ? { context } : {}) });
    if (started.queued) this.post({ type: "turn", running: true, queued: ++this.queued });
  }

  private async begin(): Promise<Key | undefined> {
    const { folder, server } = this.library;
    if (folder === undefined) return undefined;
    const session = (await server.request("kore/session/current", { folder, create: true })) as Session;
    await server.request("kore/session/switch", { sessionId: session.id, folder });
    const key = { sessionId: session.id, folder };
    await this.show(key);
    return key;
  }

  /** Stop the turn; prompts that waited come back to the user. */
  async stop(): Promise<string> {
    if (!this.key || !this.library.server.has("kore/turn/cancel")) return "";
    const { dropped } = await this.library.server.request("kore/turn/cancel", this.key);
    this.queued = 0;
    this.post({ type: "queue", queued: 0 });
    return dropped.map(({ prompt }) => prompt).join("\n\n");
  }

  /** Say what reverting the turn would do; nothing is changed. */
  async preview(turnId: string): Promise<void> {
    if (!this.key) return;
    const { t } = vscode.l10n;
    const found = await this.library.server.request("kore/turn/revert", { turnId, folder: this.key.folder, dryRun: true });
    const possible = found.reverted.length > 0;
    const words = [possible ? t("Would be as before the turn: {0}", found.reverted.join(", ")) : t("Nothing can be brought back.")];
    this.post({ type: "preview", turnId, text: [...words, ...left(found)].join("\n"), possible });
  }

  async revert(turnId: string): Promise<void> {
    if (!this.key) return;
    const done = await this.library.server.request("kore/turn/revert", { turnId, folder: this.key.folder });
    const words = vscode.l10n.t("Reverted: {0}", done.reverted.length ? done.reverted.join(", ") : "–");
    this.post({ type: "reverted", turnId, text: [words, ...left(done)].join("\n") });
  }

  /** Go back to before a message once `agreed` to what that does; its text, or undefined where nothing was done. */
  async rewind(messageId: string, agreed: (would: SessionRewind) => Promise<"messages" | "files" | undefined>): Promise<string | undefined> {
    if (!this.key) return undefined;
    const { server } = this.library;
    const what = { ...this.key, messageId };
    const choice = await agreed(await server.request("kore/session/rewind", { ...what, files: true, dryRun: true }));
    if (!choice) return undefined;
    const done = await server.request("kore/session/rewind", { ...what, files: choice === "files" });
    return done.message.content;
  }

  async fork(messageId: string): Promise<Session | undefined> {
    return this.key && this.library.server.request("kore/session/fork", { ...this.key, messageId });
  }

  /** Follow an event of the shown session. */
  follow(event: AnyEvent): void {
    if (!this.key || event.folder !== this.key.folder) return;
    if (event.type === "store.changed") {
      const { sessions } = event.data;
      if (!sessions.length || sessions.includes(this.key.sessionId)) void this.show(this.key);
      return;
    }
    if (event.sessionId !== this.key.sessionId) return;
    if (event.type === "session.rewound") {
      this.offer.withdraw();
      return void this.show(this.key);
    }
    if (this.waiting) {
      this.waiting.push(event);
      return;
    }
    for (const message of this.messagesOf(event)) this.post(message);
  }

  private messagesOf(event: AnyEvent): HostMessage[] {
    switch (event.type) {
      case "session.updated":
        this.offer.follow(event.data.session);
        return [{ type: "session", session: this.shown(event.data.session) }];
      case "session.switched":
      case "session.closed":
        return [{ type: "session", session: this.shown(event.data.session) }];
      case "message.added":
        if (event.data.message.role === "user") this.offer.prompt = event.data.message.content;
        return [{ type: "message", message: shownMessage(event.data.message as Message) }];
      case "message.streaming":
        return [{ type: "delta", ...event.data }];
      case "tool.start":
      case "tool.update":
      case "tool.complete":
      case "tool.error":
        return [{ type: "call", call: shownCall(event.data.toolCall) }];
      case "tool.output":
        return [{ type: "output", id: event.data.toolCallId, offset: event.data.offset, chunk: event.data.chunk }];
      case "turn.started":
        this.queued = Math.max(0, this.queued - 1);
        this.turns += 1;
        this.offer.withdraw();
        return [{ type: "turn", running: true, queued: this.queued }];
      case "turn.finished":
        return this.finished(event.data, event.turnId);
      case "agent.error":
        return [{ type: "failed", text: agentFailureText(event.data.error) }];
      default:
        return [];
    }
  }

  private finished(data: Extract<AnyEvent, { type: "turn.finished" }>["data"], turnId = ""): HostMessage[] {
    if (data.stopReason === "endTurn" && this.key) this.offerAgent(this.key);
    const [changes] = this.changes(turnId, Number.MAX_SAFE_INTEGER, data.changedFiles);
    return [
      { type: "turn", running: false, queued: this.queued },
      { type: "done", stopReason: data.stopReason, text: endText(data.stopReason), ...(changes ? { changes } : {}) },
    ];
  }

  /** Whoever asked for nothing is told of nothing: what can't be found out here is not offered. */
  private offerAgent(key: Key): void {
    const { turns } = this;
    void this.offer.make(key, () => this.key?.sessionId === key.sessionId && this.turns === turns).catch(() => undefined);
  }

  private changes(turnId: string, lastSeq: number, files: string[] | undefined): ShownChanges[] {
    return files?.length ? [{ turnId, lastSeq, files, revertable: this.library.server.has("kore/turn/revert") }] : [];
  }

  private shown(session: Session): ShownSession {
    const { id, mode, status } = session;
    const folder = this.library.folders.length > 1 ? this.library.folderName(session.folder) : "";
    return { id, name: visible(session.name), folder, mode, modeName: modeHere(mode), status, statusName: statusName(status) };
  }
}

function left({ conflicts }: TurnReverted): string[] {
  return conflicts.length ? [vscode.l10n.t("Changed since, left as they are: {0}", conflicts.join(", "))] : [];
}
