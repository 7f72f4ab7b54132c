// The prompt box: it grows with its text, keeps what is unsent, walks through what was sent.
import type { ChatStrings } from "../chat/messages";
import { button, h } from "./dom";
import { History } from "./history";
import { savedPrompts, savePrompts, say } from "./host";
import { meaning } from "./keys";

const MOST_ROWS_PX = 240;

export class PromptBox {
  readonly element = h("form", "prompt");
  private readonly box = h("textarea", "");
  private readonly sending: HTMLButtonElement;
  private readonly stopping: HTMLButtonElement;
  private readonly note = h("div", "note");
  private readonly queue = h("span", "queue");
  private readonly history = new History();
  private session = "";

  constructor(
    private readonly strings: ChatStrings,
    private readonly sent: () => void,
  ) {
    this.box.rows = 2;
    this.box.setAttribute("aria-label", strings.prompt);
    this.box.placeholder = strings.prompt;
    this.sending = button(strings.send, "primary", () => this.send());
    this.stopping = button(strings.stop, "stop", () => say({ type: "stop" }));
    this.element.append(this.note, this.box, h("div", "buttons", this.queue, this.stopping, this.sending));
    this.element.addEventListener("submit", (event) => event.preventDefault());
    this.box.addEventListener("keydown", (event) => this.pressed(event));
    this.box.addEventListener("input", () => this.changed());
    this.turn(false, 0);
  }

  show(session: string, prompts: readonly string[], answers: boolean): void {
    this.note.textContent = answers ? "" : this.strings.note;
    this.history.reset(prompts);
    if (session === this.session) return;
    // What was typed while no session was known yet was meant for the one that then comes.
    const early = this.session ? "" : this.box.value;
    if (early) this.set("");
    this.session = session;
    const kept = savedPrompts()[session] ?? "";
    this.set(kept && early && kept !== early ? `${kept}\n\n${early}` : kept || early);
  }

  turn(running: boolean, queued: number): void {
    this.stopping.hidden = !running;
    this.waiting(queued);
  }

  waiting(queued: number): void {
    this.queue.textContent = queued ? this.strings.queued.replace("{0}", String(queued)) : "";
  }

  /** A prompt that came back: before what was written since. */
  refused(prompt: string, text: string): void {
    this.set(this.box.value ? `${prompt}\n\n${this.box.value}` : prompt);
    if (text) this.note.textContent = text;
  }

  private pressed(event: KeyboardEvent): void {
    const what = meaning(event, this.box);
    if (!what) return;
    if (what === "send") {
      event.preventDefault();
      this.send();
      return;
    }
    const entry = what === "back" ? this.history.back(this.box.value) : this.history.forward();
    if (entry === undefined) return;
    event.preventDefault();
    this.set(entry);
    const place = what === "back" ? 0 : entry.length;
    this.box.setSelectionRange(place, place);
  }

  private send(): void {
    const prompt = this.box.value;
    if (!prompt.trim()) return;
    this.history.add(prompt);
    this.set("");
    say({ type: "send", prompt });
    this.sent();
  }

  private set(text: string): void {
    this.box.value = text;
    this.changed();
  }

  private changed(): void {
    this.box.style.height = "auto";
    this.box.style.height = `${Math.min(this.box.scrollHeight + 2, MOST_ROWS_PX)}px`;
    const prompts = savedPrompts();
    if (this.box.value) prompts[this.session] = this.box.value;
    else delete prompts[this.session];
    savePrompts(prompts);
  }
}
