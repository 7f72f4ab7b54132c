// The prompts that were sent, to be walked through as in a shell; what was being written stays at the end. Pure.
export class History {
  private entries: string[] = [];
  private place = 0;
  private unsent = "";

  reset(entries: readonly string[]): void {
    this.entries = entries.filter((entry, index) => entry !== entries[index - 1]);
    this.place = this.entries.length;
    this.unsent = "";
  }

  add(entry: string): void {
    if (this.entries.at(-1) !== entry) this.entries.push(entry);
    this.place = this.entries.length;
    this.unsent = "";
  }

  /** The entry before, or undefined at the oldest. `current` is what stands in the box. */
  back(current: string): string | undefined {
    if (this.place === 0) return undefined;
    if (this.place === this.entries.length) this.unsent = current;
    return this.entries[--this.place];
  }

  /** The entry after, at last what was being written; undefined where that stands already. */
  forward(): string | undefined {
    if (this.place >= this.entries.length) return undefined;
    this.place++;
    return this.place === this.entries.length ? this.unsent : this.entries[this.place];
  }
}
