/**
 * Why a host cannot take a VM: the reason for programs, the figures behind it, and a sentence that is made of them when
 * somebody reads it. Big clusters have many hosts that do not fit, and few readers.
 */
export class Obstacle {
  readonly ok = false;
  /** CamelCase. */
  readonly reason: string;
  /** The figures and names that decided. */
  readonly facts: object;
  readonly #say: () => string;

  constructor(reason: string, facts: object, say: () => string) {
    this.reason = reason;
    this.facts = facts;
    this.#say = say;
  }

  /** For people. */
  get message(): string {
    return this.#say();
  }
}

/** An obstacle whose sentence is made of its own facts. */
export function obstacle<Facts extends object>(reason: string, facts: Facts, say: (facts: Facts) => string): Obstacle {
  return new Obstacle(reason, facts, () => say(facts));
}
