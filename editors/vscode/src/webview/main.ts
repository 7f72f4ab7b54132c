// The chat's page: puts its parts together and hands them what the extension says.
import type { ChatStrings, HostMessage, Show, ShownSession } from "../chat/messages";
import { button, h } from "./dom";
import { Follow } from "./follow";
import { say } from "./host";
import { PermissionCards } from "./permission";
import { PromptBox } from "./prompt";
import { Transcript } from "./transcript";

class Chat {
  private readonly head = h("header", "head");
  private readonly scroller = h("main", "scroller");
  private readonly notice = h("section", "notice");
  private readonly end = h("p", "end");
  private readonly offer = h("section", "offer buttons");
  private readonly toEnd: HTMLButtonElement;
  private readonly follow: Follow;
  private readonly transcript: Transcript;
  private readonly permissions: PermissionCards;
  private readonly prompt: PromptBox;
  private partial = false;
  /** Why the agent failed in the turn that ends next. */
  private reason = "";

  constructor(root: HTMLElement, private readonly strings: ChatStrings) {
    this.transcript = new Transcript(strings, () => this.follow);
    this.permissions = new PermissionCards(strings);
    this.prompt = new PromptBox(strings, () => this.latest());
    this.toEnd = button(strings.latest, "to-end", () => this.latest());
    this.scroller.append(this.transcript.element, this.end, this.offer);
    root.replaceChildren(this.head, this.notice, this.scroller, this.toEnd, this.permissions.element, this.prompt.element);
    this.follow = new Follow(this.scroller, (following) => (this.toEnd.hidden = following && !this.partial));
    this.toEnd.hidden = true;
    this.notice.hidden = true;
  }

  private latest(): void {
    if (this.partial) say({ type: "latest" });
    else this.follow.toEnd();
  }

  obey(message: HostMessage): void {
    switch (message.type) {
      case "show": return this.show(message);
      case "notice": return this.tell(message.text, message.action);
      case "session": return this.setHead(message.session);
      case "message": return this.transcript.added(message.message);
      case "page":
        if (message.where === "newer") this.partial = message.more;
        return this.transcript.page(message.where, message.messages, message.more);
      case "delta": return this.transcript.delta(message.messageId, message.kind, message.offset, message.delta);
      case "call": return this.transcript.call(message.call);
      case "output": return this.transcript.output(message.id, message.offset, message.chunk);
      case "turn":
        this.prompt.turn(message.running, message.queued);
        if (message.running) this.reason = "";
        return this.ended(message.running ? this.strings.working : "");
      case "queue": return this.prompt.waiting(message.queued);
      case "done":
        if (message.changes) this.transcript.changed(message.changes);
        return this.ended(message.stopReason === "error" ? this.reason || message.text : message.text);
      case "failed":
        this.reason = message.text;
        return this.ended(message.text);
      case "permissions": return this.permissions.show(message.requests);
      case "preview": return this.transcript.preview(message.turnId, message.text, message.possible);
      case "reverted": return this.transcript.reverted(message.turnId, message.text);
      case "refused": return this.prompt.refused(message.prompt, message.text);
      case "offer": return this.offered(message);
      case "setup": return;
    }
  }

  private show(show: Show): void {
    const { scrollTop } = this.scroller;
    const followed = this.follow.on;
    this.notice.hidden = true;
    this.scroller.hidden = this.prompt.element.hidden = false;
    this.partial = show.newer;
    this.reason = "";
    this.setHead(show.session);
    const prompts = this.transcript.show(show);
    this.prompt.show(show.session?.id ?? "", prompts, show.answers);
    this.prompt.turn(show.running, show.queued);
    this.offered({});
    this.ended(show.running ? this.strings.working : "");
    if (show.reveal !== undefined) {
      this.follow.leave();
      this.transcript.reveal(show.reveal);
    } else if (show.again && !followed && !show.newer) this.scroller.scrollTop = scrollTop;
    else this.follow.toEnd();
    if (this.partial) this.toEnd.hidden = false;
  }

  private tell(text: string, action: Extract<HostMessage, { type: "notice" }>["action"]): void {
    this.setHead(undefined);
    this.scroller.hidden = this.prompt.element.hidden = this.toEnd.hidden = true;
    this.permissions.show([]);
    this.notice.hidden = false;
    this.notice.replaceChildren(h("p", "", text));
    if (action) this.notice.append(button(action.label, "primary", () => say({ type: "command", command: action.command })));
  }

  private setHead(session: ShownSession | undefined): void {
    this.head.replaceChildren();
    if (!session) return;
    const { strings } = this;
    const name = button(session.folder ? `${session.folder} · ${session.name}` : session.name, "name", () => say({ type: "command", command: "kore.ui.switch" }));
    name.title = strings.switchSession;
    const mode = button(session.modeName, "mode", () => say({ type: "command", command: "kore.ui.mode" }));
    mode.title = strings.changeMode;
    mode.dataset["mode"] = session.mode;
    const fresh = button("+", "new", () => say({ type: "command", command: "kore.ui.new" }));
    fresh.title = strings.newSession;
    this.head.append(name, session.status === "idle" ? "" : h("span", "status", session.statusName), mode, fresh);
  }

  /** Below the answer that was none: who could give one. */
  private offered({ label, more, text }: Omit<Extract<HostMessage, { type: "offer" }>, "type">): void {
    this.offer.replaceChildren(text ?? "");
    if (label) this.offer.append(button(label, "", () => say({ type: "takeOffer" })));
    if (more) this.offer.append(button(this.strings.chooseAgent, "quiet", () => say({ type: "command", command: "kore.ui.agent" })));
    this.offer.hidden = !this.offer.hasChildNodes() || !(label ?? text);
    this.follow.keep();
  }

  private ended(text: string): void {
    this.end.textContent = text;
    this.end.hidden = !text;
    this.follow.keep();
  }
}

const root = document.getElementById("kore-chat");
let chat: Chat | undefined;

window.addEventListener("message", ({ data }: MessageEvent<HostMessage>) => {
  if (!root || typeof data !== "object" || data === null) return;
  if (data.type === "setup") chat = new Chat(root, data.strings);
  else chat?.obey(data);
});

say({ type: "ready" });
