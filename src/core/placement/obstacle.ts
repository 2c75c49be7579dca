/**
 * Why a host cannot take a VM: the reason for programs, the figures behind it, and a sentence that is made of them when
 * somebody reads it. Big clusters have many hosts that do not fit, and few readers.
 */
export interface Obstacle {
  readonly ok: false;
  /** CamelCase. */
  readonly reason: string;
  /** The figures and names that decided. */
  readonly facts: object;
  /** For people. */
  readonly message: string;
}

class ToldObstacle<Facts extends object> implements Obstacle {
  readonly ok = false;
  readonly reason: string;
  readonly facts: Facts;
  readonly #say: (facts: Facts) => string;

  constructor(reason: string, facts: Facts, say: (facts: Facts) => string) {
    this.reason = reason;
    this.facts = facts;
    this.#say = say;
  }

  get message(): string {
    return this.#say(this.facts);
  }
}

/** @param say makes the sentence; one function for all hosts, since a closure for each would cost more than the rest. */
export function obstacle<Facts extends object>(reason: string, facts: Facts, say: (facts: Facts) => string): Obstacle {
  return new ToldObstacle(reason, facts, say);
}
