// Of overlapping asks only the newest counts: a newer one cancels those before it. Pure but for the timer.

export interface Cancelling {
  token: unknown;
  cancel(): void;
}

export class Latest<C extends Cancelling, R> {
  private current: C | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** `pause` is how many milliseconds an ask waits for a newer one before it begins. */
  constructor(
    private readonly pause: number,
    private readonly source: () => C,
    private readonly ask: (question: string, source: C) => Promise<R>,
    private readonly answered: (question: string, result: R) => void,
    private readonly failed: (error: unknown) => void,
  ) {}

  put(question: string): void {
    this.cancel();
    const source = this.source();
    this.current = source;
    this.timer = setTimeout(() => void this.run(question, source), this.pause);
  }

  cancel(): void {
    clearTimeout(this.timer);
    this.current?.cancel();
    this.current = undefined;
  }

  private async run(question: string, source: C): Promise<void> {
    try {
      const result = await this.ask(question, source);
      if (this.current === source) this.answered(question, result);
    } catch (error) {
      if (this.current === source) this.failed(error);
    }
  }
}
