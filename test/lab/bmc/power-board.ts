import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

/**
 * What do BMC simulators switch, and where do they read? They ask over a unix socket, one line per connection:
 * `status host-1`, `off host-1` or `on host-1`. The answer is `on`, `off`, `done`, or `failed <why>`.
 */
export interface SwitchedMachine {
  hasPower(): boolean;
  /** Takes its power away. Resolves when it is gone. */
  switchOff(): Promise<void>;
  /** Gives it power. Resolves when what starts with it has started. */
  switchOn(): Promise<void>;
}

export class PowerBoard {
  readonly #machines = new Map<string, Outlet>();
  readonly #server: Server;

  /** @param find undefined for a machine that there is not. */
  constructor(find: (name: string) => SwitchedMachine | undefined, log: (line: string) => void) {
    this.#server = createServer((socket) => {
      this.#serve(socket, find, log).catch((error: unknown) => {
        log(String(error));
        socket.destroy();
      });
    });
  }

  /** Only root can use it: it switches without a password. */
  async listen(socketPath: string): Promise<void> {
    rmSync(socketPath, { force: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject).listen(socketPath, resolve);
    await promise;
    chmodSync(socketPath, 0o600);
  }

  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    await promise;
  }

  async #serve(
    socket: Socket,
    find: (name: string) => SwitchedMachine | undefined,
    log: (line: string) => void,
  ): Promise<void> {
    socket.on('error', () => undefined);
    for await (const line of createInterface({ input: socket })) {
      const [verb = '', name = ''] = line.split(' ');
      const machine = find(name);
      if (machine === undefined) {
        socket.end(`failed there is no machine "${name}"\n`);
        return;
      }
      const outlet = this.#machines.get(name) ?? new Outlet(machine, (said) => log(`${name}: ${said}`));
      this.#machines.set(name, outlet);
      socket.end(`${await answer(outlet, verb)}\n`);
      return;
    }
  }
}

async function answer(outlet: Outlet, verb: string): Promise<string> {
  try {
    if (verb === 'status') return outlet.hasPower() ? 'on' : 'off';
    if (verb === 'off') await outlet.switchOff();
    else if (verb === 'on') outlet.switchOn();
    else return `failed there is no order "${verb}"`;
    return 'done';
  } catch (error) {
    return `failed ${String(error).replaceAll('\n', ' ')}`;
  }
}

/** One machine's power. Off goes before on, also when on is at work: what that still starts is taken away again. */
class Outlet {
  readonly #machine: SwitchedMachine;
  readonly #log: (line: string) => void;
  #starting = false;
  /** While it is off although a start is still at work: the start may yet bring something up. */
  #cancelled = false;
  /** Orders at work. The first process of a host is dead before the last one is: it is off when all are. */
  #switchingOff = 0;

  constructor(machine: SwitchedMachine, log: (line: string) => void) {
    this.#machine = machine;
    this.#log = log;
  }

  hasPower(): boolean {
    return this.#machine.hasPower() || this.#cancelled || this.#switchingOff > 0;
  }

  async switchOff(): Promise<void> {
    this.#cancelled = this.#starting;
    const begun = performance.now();
    this.#switchingOff += 1;
    try {
      await this.#machine.switchOff();
    } finally {
      this.#switchingOff -= 1;
    }
    this.#log(`off within ${Math.round(performance.now() - begun)} ms`);
  }

  switchOn(): void {
    if (this.#starting || this.#machine.hasPower()) return;
    this.#starting = true;
    this.#start().catch((error: unknown) => this.#log(`cannot be switched off again: ${String(error)}`));
  }

  async #start(): Promise<void> {
    const begun = performance.now();
    try {
      await this.#machine.switchOn();
      this.#log(`on within ${Math.round(performance.now() - begun)} ms`);
    } catch (error) {
      this.#log(`did not start: ${String(error)}`);
    }
    try {
      if (this.#cancelled) await this.#machine.switchOff();
    } finally {
      this.#starting = false;
      this.#cancelled = false;
    }
  }
}
