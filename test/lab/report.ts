/** How the lab tells what it is doing. */
export interface Report {
  /**
   * Says that a step begins, how it goes while it takes long, and how long it took. The step calls `progress` as often as
   * it likes.
   */
  step<T>(what: string, work: (progress: Progress) => Promise<T>): Promise<T>;
  say(line: string): void;
}

export type Progress = (detail: string) => void;

/** For tests: they say by themselves what failed. */
export const silent: Report = {
  step: (_what, work) => work(() => undefined),
  say: () => undefined,
};

/** A step that is over sooner than this prints one line only, when it is done. */
const QUIET_MS = 1_000;
/** A step that takes long says at least this often that it is alive. */
const HEARTBEAT_MS = 4_000;

/** One line per step as it ends, and a line every few seconds while a step takes long. */
export function lines(write: (line: string) => void): Report {
  return {
    say: write,
    async step(what, work) {
      const start = performance.now();
      let detail = '';
      let said = false;
      const tell = () => {
        said = true;
        write(`${what} ... ${seconds(start)}${detail && `: ${detail}`}`);
      };
      const first = setTimeout(tell, QUIET_MS);
      const later = setInterval(tell, HEARTBEAT_MS);
      try {
        const result = await work((latest) => {
          detail = latest;
        });
        write(`${what}: done${said || performance.now() - start > QUIET_MS ? ` in ${seconds(start)}` : ''}`);
        return result;
      } finally {
        clearTimeout(first);
        clearInterval(later);
      }
    },
  };
}

function seconds(start: number): string {
  return `${((performance.now() - start) / 1000).toFixed(0)} s`;
}
