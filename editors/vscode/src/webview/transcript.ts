// The messages of the shown session, in order, with what is still being said at the end.
import type { ChatStrings, Draft, Show, ShownCall, ShownChanges, ShownMessage } from "../chat/messages";
import type { CallElement } from "./call";
import { button, h } from "./dom";
import type { Follow } from "./follow";
import { say } from "./host";
import { MessageElement } from "./message";
import { visible, visibleLines } from "../text";

const LEAST_PAUSE_MS = 40;
/** Rendering may take this part of the time, at most. */
const SHARE = 4;

export class Transcript {
  readonly element = h("div", "transcript");
  private readonly list = h("div", "list");
  private readonly older: HTMLButtonElement;
  private readonly newer: HTMLButtonElement;
  private readonly empty: HTMLElement;
  private messages = new Map<string, MessageElement>();
  private calls = new Map<string, CallElement>();
  private changes = new Map<string, HTMLElement>();
  private unrendered = new Set<MessageElement>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private pause = LEAST_PAUSE_MS;
  private hasNewer = false;

  constructor(
    private readonly strings: ChatStrings,
    private readonly follow: () => Follow,
  ) {
    this.older = button(strings.older, "page", () => say({ type: "older", seq: this.firstSeq }));
    this.newer = button(strings.newer, "page", () => say({ type: "newer", seq: this.lastSeq }));
    this.empty = h("p", "empty", strings.empty);
    this.element.append(this.older, this.empty, this.list, this.newer);
  }

  private get stored(): MessageElement[] {
    return [...this.messages.values()].filter(({ seq }) => seq !== undefined).sort((a, b) => (a.seq ?? 0) - (b.seq ?? 0));
  }

  private get firstSeq(): number {
    return this.stored[0]?.seq ?? 1;
  }

  private get lastSeq(): number {
    return this.stored.at(-1)?.seq ?? 0;
  }

  /** The prompts among what is shown, oldest first. */
  show(show: Show): string[] {
    this.messages.clear();
    this.calls.clear();
    this.changes.clear();
    this.unrendered.clear();
    this.list.replaceChildren();
    this.empty.textContent = show.session ? this.strings.empty : this.strings.none;
    for (const message of show.messages) this.put(message);
    this.setPages(show.older, show.newer);
    for (const changes of show.changes) this.changed(changes);
    if (show.draft) this.begin(show.draft);
    for (const call of show.openCalls) this.call(call);
    return show.messages.filter(({ role }) => role === "user").map(({ text }) => text);
  }

  setPages(older: boolean | undefined, newer: boolean | undefined): void {
    if (older !== undefined) this.older.hidden = !older;
    if (newer !== undefined) this.newer.hidden = !(this.hasNewer = newer);
    this.empty.hidden = this.messages.size > 0;
  }

  page(where: "older" | "newer", messages: ShownMessage[], more: boolean): void {
    const scroller = this.element.parentElement;
    const fromEnd = scroller ? scroller.scrollHeight - scroller.scrollTop : 0;
    for (const message of messages) this.put(message);
    if (where === "older") {
      this.setPages(more, undefined);
      if (scroller) scroller.scrollTop = scroller.scrollHeight - fromEnd;
    } else this.setPages(undefined, more);
  }

  /** A message that was added now; while the end is not loaded it waits there. */
  added(message: ShownMessage): void {
    if (this.hasNewer && !this.messages.has(message.id)) return;
    this.put(message);
    this.empty.hidden = true;
    this.follow().keep();
  }

  private put(message: ShownMessage): void {
    const known = this.messages.get(message.id) ?? new MessageElement(message.id, this.strings);
    this.unrendered.delete(known);
    known.show(message);
    for (const call of message.calls) this.calls.set(call.id, known.call(call));
    this.messages.set(message.id, known);
    this.place(known);
  }

  private place(message: MessageElement): void {
    const after = this.stored.find(({ seq }) => (seq ?? 0) > (message.seq ?? 0));
    const draft = [...this.messages.values()].find(({ seq }) => seq === undefined);
    const before = after?.element ?? draft?.element ?? null;
    if (message.element.parentNode !== this.list || message.element.nextSibling !== before) this.list.insertBefore(message.element, before);
  }

  begin(draft: Draft): MessageElement {
    let known = this.messages.get(draft.messageId);
    if (!known) {
      known = new MessageElement(draft.messageId, this.strings);
      this.messages.set(draft.messageId, known);
      this.list.append(known.element);
      known.startDraft(draft);
      this.empty.hidden = true;
      this.renderLater(known);
    }
    return known;
  }

  delta(messageId: string, kind: "text" | "thinking", offset: number, delta: string): void {
    if (this.hasNewer) return;
    const message = this.begin({ messageId, text: "", thinking: "" });
    if (message.add(kind, offset, delta)) this.renderLater(message);
    else say({ type: "again" });
  }

  call(call: ShownCall): void {
    if (this.hasNewer && !this.messages.has(call.messageId)) return;
    this.calls.set(call.id, this.begin({ messageId: call.messageId, text: "", thinking: "" }).call(call));
    this.follow().keep();
  }

  output(id: string, offset: number, chunk: string): void {
    this.calls.get(id)?.more(offset, chunk);
    this.follow().keep();
  }

  /** Under the turn's last message: what it changed on disk. */
  changed(changes: ShownChanges): void {
    const { turnId, lastSeq, files, revertable } = changes;
    if (this.changes.has(turnId)) return;
    const last = this.stored.filter(({ seq }) => (seq ?? 0) <= lastSeq).at(-1);
    if (!last) return;
    const list = h("ul", "", ...files.map((path) => h("li", "", button(visible(path), "link", () => say({ type: "file", path })))));
    const card = h("section", "changes", h("strong", "", this.strings.changed), list);
    if (revertable) card.append(this.way(turnId));
    this.changes.set(turnId, card);
    last.element.append(card);
    this.follow().keep();
  }

  /** The way back begins with a look at what it would do. */
  private way(turnId: string, ...inside: HTMLElement[]): HTMLElement {
    const first = button(this.strings.revert, "", () => say({ type: "preview", turnId }));
    return h("div", "way", ...(inside.length ? inside : [first]));
  }

  private setWay(turnId: string, ...inside: HTMLElement[]): void {
    this.changes.get(turnId)?.querySelector(".way")?.replaceWith(this.way(turnId, ...inside));
    this.follow().keep();
  }

  preview(turnId: string, text: string, possible: boolean): void {
    const cancel = button(this.strings.cancel, possible ? "primary" : "", () => this.setWay(turnId));
    const revert = button(this.strings.revertThese, "", () => say({ type: "revert", turnId }));
    this.setWay(turnId, h("p", "plain", visibleLines(text)), h("div", "buttons", cancel, ...(possible ? [revert] : [])));
  }

  reverted(turnId: string, text: string): void {
    this.setWay(turnId, h("p", "plain", visibleLines(text)));
  }

  reveal(seq: number): void {
    const message = this.stored.find((each) => (each.seq ?? 0) >= seq);
    if (!message) return;
    message.element.classList.add("revealed");
    const scroller = this.element.parentElement;
    // Not by scrollIntoView, which would scroll the page around it, too.
    if (scroller) scroller.scrollTop += message.element.getBoundingClientRect().top - scroller.getBoundingClientRect().top;
  }

  /** Deltas are gathered; a long answer is rendered less often, so that the page stays responsive. */
  private renderLater(message: MessageElement): void {
    this.unrendered.add(message);
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      const start = performance.now();
      for (const each of this.unrendered) each.render();
      this.unrendered.clear();
      this.follow().keep();
      this.pause = Math.max(LEAST_PAUSE_MS, SHARE * (performance.now() - start));
    }, this.pause);
  }
}
