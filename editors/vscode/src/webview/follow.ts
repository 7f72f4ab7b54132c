// Follow mode: the end stays in view while an answer grows, until the reader scrolls up; then nothing moves.
const NEAR = 4;

export class Follow {
  private following = true;
  private top = 0;

  constructor(
    private readonly element: HTMLElement,
    private readonly changed: (following: boolean) => void,
  ) {
    element.addEventListener("scroll", () => this.scrolled());
    new ResizeObserver(() => this.keep()).observe(element);
  }

  get on(): boolean {
    return this.following;
  }

  /** After the content grew. */
  keep(): void {
    if (this.following) this.toEnd();
  }

  toEnd(): void {
    this.element.scrollTop = this.element.scrollHeight;
    this.top = this.element.scrollTop;
    this.set(true);
  }

  leave(): void {
    this.set(false);
  }

  /** Growing content never moves the view up: only the reader does. */
  private scrolled(): void {
    const { scrollTop, clientHeight, scrollHeight } = this.element;
    if (scrollHeight - clientHeight - scrollTop <= NEAR) this.set(true);
    else if (scrollTop < this.top) this.set(false);
    this.top = scrollTop;
  }

  private set(following: boolean): void {
    if (following === this.following) return;
    this.following = following;
    this.changed(following);
  }
}
