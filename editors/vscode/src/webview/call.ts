// A tool call: one line, folded; its input and output inside.
import type { ChatStrings, ShownCall } from "../chat/messages";
import { visible, visibleLines } from "../text";
import { h } from "./dom";

const MOST_OUTPUT = 20_000;

export class CallElement {
  readonly element = h("details", "call");
  private readonly title = h("span", "call-title");
  private readonly status = h("span", "call-status");
  private readonly input = h("pre", "call-text");
  private readonly output = h("pre", "call-text");
  private readonly inputBox: HTMLElement;
  private readonly outputBox: HTMLElement;
  private streamed = 0;
  /** As it came; what is shown of it obeys nothing in it. */
  private raw = "";

  constructor(call: ShownCall, private readonly strings: ChatStrings) {
    this.inputBox = h("div", "", h("div", "call-label", strings.input), this.input);
    this.outputBox = h("div", "", h("div", "call-label", strings.output), this.output);
    this.element.append(h("summary", "", this.title, this.status), this.inputBox, this.outputBox);
    this.update(call);
  }

  update(call: ShownCall): void {
    this.title.textContent = visible(call.title || call.name);
    this.status.textContent = this.strings.calls[call.status] ?? call.status;
    this.element.dataset["status"] = call.status;
    this.input.textContent = visibleLines(call.input);
    if (call.output || call.status === "completed") this.put(call.output);
    if (call.status === "inProgress") this.streamed = Math.max(this.streamed, call.output.length);
    this.hideEmpty();
  }

  more(offset: number, chunk: string): void {
    const fresh = offset < this.streamed ? chunk.slice(this.streamed - offset) : chunk;
    this.streamed = Math.max(this.streamed, offset + chunk.length);
    this.put((this.raw + fresh).slice(-MOST_OUTPUT));
    this.hideEmpty();
  }

  private put(output: string): void {
    this.raw = output;
    this.output.textContent = visibleLines(output);
  }

  private hideEmpty(): void {
    this.inputBox.hidden = !this.input.textContent;
    this.outputBox.hidden = !this.output.textContent;
  }
}
