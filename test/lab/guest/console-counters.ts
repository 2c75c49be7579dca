/** What do a guest's console lines prove? */

export interface Reading {
  readonly hostname: string;
  readonly counter: number;
  /** First eight digits of the guest kernel's boot id: one value per boot. */
  readonly boot: string;
}

export interface ConsoleCounters {
  readonly readings: readonly Reading[];
  /** Boot ids in the order in which they counted. */
  readonly boots: readonly string[];
  readonly verdict: Verdict;
}

export type Verdict =
  | { readonly ok: true }
  | {
      readonly ok: false;
      /**
       * `Empty`: no counter at all. `Gap`: numbers are missing in one boot. `LostWrite`: a boot continues from less than
       * the console had seen on the disk. `Backwards`: the same number twice, or an earlier one. `SecondOwner`: the guest
       * found on its disk what it had not written, or two boots count in turns. `WriteError`: the disk refused a write.
       */
      readonly reason: 'Empty' | 'Gap' | 'LostWrite' | 'Backwards' | 'SecondOwner' | 'WriteError';
      readonly message: string;
    };

const LINE =
  /drover-guest (?<hostname>\S+) (?:counter=(?<counter>\d+) boot=(?<boot>[0-9a-f]{8})|(?<intruder>intruder=.*)|(?<error>error=.*))/;

/**
 * Reads what the guest's script `count` printed. The guest writes a number to the disk before it prints it, so in every
 * log each number follows its forerunner; only where a boot ended in a power cut may one be written and not printed.
 * @param log the console, or the consoles of several hosts joined in the order in which the VM ran there.
 */
export function readConsoleCounters(log: string): ConsoleCounters {
  const readings: Reading[] = [];
  const boots: string[] = [];
  let fault: Verdict | undefined;
  for (const line of log.split(/\r?\n/)) {
    const groups = LINE.exec(line)?.groups;
    if (!groups) continue;
    const { hostname = '', counter, boot } = groups;
    if (counter === undefined || boot === undefined) {
      fault ??= complaint(line, groups['intruder'] !== undefined);
      continue;
    }
    const reading: Reading = { hostname, counter: Number(counter), boot };
    fault ??= judge(readings.at(-1), reading, boots);
    if (!boots.includes(boot)) boots.push(boot);
    readings.push(reading);
  }
  if (readings.length === 0) {
    fault ??= { ok: false, reason: 'Empty', message: `No counter in ${log.length} characters of console.` };
  }
  return { readings, boots, verdict: fault ?? { ok: true } };
}

function complaint(line: string, intruder: boolean): Verdict {
  return { ok: false, reason: intruder ? 'SecondOwner' : 'WriteError', message: line.trim() };
}

function judge(previous: Reading | undefined, reading: Reading, boots: readonly string[]): Verdict | undefined {
  if (!previous) return undefined;
  const step = reading.counter - previous.counter;
  const where = `${previous.counter} (boot ${previous.boot}) is followed by ${reading.counter} (boot ${reading.boot})`;
  if (reading.boot === previous.boot) {
    if (step === 1) return undefined;
    return { ok: false, reason: step < 1 ? 'Backwards' : 'Gap', message: where };
  }
  if (boots.includes(reading.boot))
    return { ok: false, reason: 'SecondOwner', message: `Two boots in turns: ${where}` };
  if (step < 1) return { ok: false, reason: 'LostWrite', message: `The disk forgot what it had held: ${where}` };
  return step <= 2 ? undefined : { ok: false, reason: 'Gap', message: where };
}
