/** Who reaches whom among hosts, BMCs and the operator; the way to the API server is a link of each client. */
export class Network {
  readonly #cut = new Set<string>();
  readonly #isolated = new Set<string>();

  reaches(from: string, to: string): boolean {
    if (from === to) return true;
    if (this.#isolated.has(from) || this.#isolated.has(to)) return false;
    return this.#cut.size === 0 || !this.#cut.has(pairOf(from, to));
  }

  /** Neither reaches the other any more. */
  cut(one: string, other: string): void {
    this.#cut.add(pairOf(one, other));
  }

  /** It reaches nobody, and nobody reaches it. */
  isolate(name: string): void {
    this.#isolated.add(name);
  }

  heal(): void {
    this.#cut.clear();
    this.#isolated.clear();
  }

  rejoin(name: string): void {
    this.#isolated.delete(name);
    for (const pair of [...this.#cut]) if (pair.split(' ').includes(name)) this.#cut.delete(pair);
  }
}

function pairOf(one: string, other: string): string {
  return [one, other].sort().join(' ');
}
