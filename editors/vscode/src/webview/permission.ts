// Permission requests as cards above the prompt. They never take the focus; no key typed elsewhere answers them.
import type { PermissionOption, PermissionRequest } from "../protocol";
import type { ChatStrings } from "../chat/messages";
import { visible, visibleLines } from "../text";
import { button, h } from "./dom";
import { say } from "./host";

const ORDER: readonly PermissionOption["kind"][] = ["rejectOnce", "allowOnce", "allowAlways", "rejectAlways"];

export class PermissionCards {
  readonly element = h("div", "permissions");
  private readonly cards = new Map<string, HTMLElement>();
  /** What was written into cards: an answer that did not arrive brings its card back. */
  private readonly written = new Map<string, string>();

  constructor(private readonly strings: ChatStrings) {
    this.element.setAttribute("role", "alert");
  }

  /** Show these requests; a card that is there already keeps what was written into it. */
  show(requests: readonly PermissionRequest[]): void {
    const wanted = new Set(requests.map(({ requestId }) => requestId));
    for (const [id, card] of this.cards) {
      if (wanted.has(id)) continue;
      card.remove();
      this.cards.delete(id);
    }
    for (const request of requests) {
      if (this.cards.has(request.requestId)) continue;
      const card = this.card(request);
      this.cards.set(request.requestId, card);
      this.element.append(card);
    }
  }

  private card(request: PermissionRequest): HTMLElement {
    const feedback = h("input", "feedback");
    feedback.placeholder = this.strings.feedback;
    feedback.value = this.written.get(request.requestId) ?? "";
    feedback.addEventListener("input", () => this.written.set(request.requestId, feedback.value));
    const answer = (option: PermissionOption): void =>
      say({ type: "answer", requestId: request.requestId, optionId: option.id, feedback: feedback.value });
    const options = [...request.options].sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
    const rejecting = options.find(({ kind }) => kind === "rejectOnce");
    // Enter in the card is the default answer: to reject.
    feedback.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.isComposing && event.keyCode !== 229 && rejecting) answer(rejecting);
    });
    const buttons = options.map((option) => {
      const each = button(visible(option.name), option === rejecting ? "primary" : "", () => answer(option));
      each.dataset["kind"] = option.kind;
      return each;
    });
    const card = h("section", "permission", h("strong", "", this.strings.permission), h("p", "summary", visibleLines(request.summary)));
    if (request.diff) card.append(this.diff(request.diff));
    card.append(feedback, h("div", "buttons", ...buttons));
    return card;
  }

  private diff(text: string): HTMLElement {
    const lines = visibleLines(text.trimEnd()).split("\n").map((line) => {
      const kind = /^(---|\+\+\+) /.test(line) ? "place" : line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : line.startsWith("@@") ? "place" : "";
      return h("div", kind, line || " ");
    });
    const box = h("details", "diff", h("summary", "", this.strings.diff), h("pre", "", ...lines));
    box.open = true;
    return box;
  }
}
