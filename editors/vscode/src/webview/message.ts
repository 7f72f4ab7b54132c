// One message, stored or still being said.
import type { ChatStrings, Draft, ShownCall, ShownMessage } from "../chat/messages";
import { CallElement } from "./call";
import { button, h } from "./dom";
import { say } from "./host";
import { markdown } from "./markdown";
import { stableLength } from "./stable";
import { visibleLines } from "../text";

export class MessageElement {
  readonly element = h("article", "message");
  private readonly head = h("header", "");
  private readonly thinking = h("details", "thinking");
  private readonly thought = h("div", "thought");
  private readonly body = h("div", "body");
  private readonly calls = h("div", "calls");
  private readonly byId = new Map<string, CallElement>();
  private draft: Draft | undefined;
  /** How much of the draft stands in blocks that no longer change. */
  private settled = 0;
  private tail: Node[] = [];
  /** Absent while it is still being said. */
  seq: number | undefined;

  constructor(readonly id: string, private readonly strings: ChatStrings) {
    this.thinking.append(h("summary", "", strings.thinking), this.thought);
    this.thinking.hidden = true;
    this.element.append(this.head, this.thinking, this.body, this.calls);
  }

  /** Show a stored message; its folded parts stay as the reader left them. */
  show(message: ShownMessage): void {
    this.seq = message.seq;
    this.draft = undefined;
    this.element.dataset["role"] = message.role;
    this.element.dataset["seq"] = String(message.seq);
    this.element.classList.remove("draft");
    this.setHead(message);
    this.setThinking(message.thinking);
    if (message.role === "assistant") this.body.replaceChildren(markdown(message.text, this.strings));
    else this.body.replaceChildren(h("div", "plain", message.text));
    if (message.cut) {
      const whole = button(this.strings.openTranscript, "quiet", () => say({ type: "transcript" }));
      this.body.append(h("p", "cut", this.strings.cut, " ", whole));
    }
    for (const call of message.calls) this.call(call);
  }

  /** Say more of a draft; false where something in between is missing. */
  add(kind: "text" | "thinking", offset: number, delta: string): boolean {
    if (this.seq !== undefined) return true;
    this.draft ??= { messageId: this.id, text: "", thinking: "" };
    const known = this.draft[kind];
    if (offset > known.length) return false;
    this.draft[kind] = known.slice(0, offset) + delta;
    return true;
  }

  startDraft(draft: Draft): void {
    this.draft = { ...draft };
    this.element.dataset["role"] = "assistant";
    this.element.classList.add("draft");
    if (!this.head.hasChildNodes()) this.head.append(h("span", "who", this.strings.agent));
  }

  /** Bring the elements in step with the draft: blocks that are whole are made once, the rest anew. */
  render(): void {
    if (!this.draft) return;
    const { text, thinking } = this.draft;
    this.setThinking(thinking);
    const stable = stableLength(text, this.settled);
    for (const node of this.tail) node.parentNode?.removeChild(node);
    if (stable > this.settled) this.body.append(markdown(text.slice(this.settled, stable), this.strings));
    this.settled = stable;
    const tail = markdown(text.slice(stable), this.strings);
    this.tail = [...tail.childNodes];
    this.body.append(tail);
  }

  call(call: ShownCall): CallElement {
    let known = this.byId.get(call.id);
    if (known) known.update(call);
    else {
      known = new CallElement(call, this.strings);
      this.byId.set(call.id, known);
      this.calls.append(known.element);
    }
    return known;
  }

  private setHead(message: ShownMessage): void {
    const { you, agent, system, tool } = this.strings;
    const who = { user: you, assistant: agent, system, tool }[message.role];
    const at = new Date(message.timestamp);
    const time = h("time", "", at.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" }));
    time.title = at.toLocaleString();
    const state = message.state && h("span", "state", this.strings[message.state]);
    const fork = button(this.strings.fork, "quiet", () => say({ type: "fork", messageId: message.id }));
    const copy = button(this.strings.copy, "quiet", () => say({ type: "copy", text: message.text }));
    const anew = message.role === "user" ? this.anew(message.id) : [];
    const actions = h("span", "actions", ...anew, copy, fork);
    this.head.replaceChildren(h("span", "who", who), ...(state ? [state] : []), h("span", "space"), time, actions);
  }

  private anew(messageId: string): HTMLButtonElement[] {
    const edit = button(this.strings.edit, "quiet", () => say({ type: "edit", messageId }));
    const regenerate = button(this.strings.regenerate, "quiet", () => say({ type: "regenerate", messageId }));
    edit.title = this.strings.editTitle;
    regenerate.title = this.strings.regenerateTitle;
    return [edit, regenerate];
  }

  private setThinking(text: string): void {
    this.thinking.hidden = !text;
    const shown = visibleLines(text);
    if (this.thought.textContent !== shown) this.thought.textContent = shown;
  }
}
