import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { HostIsolation } from '../../api/host-isolation.ts';
import { isSystemError, writeFileDurably } from '../../host/index.ts';

/** What an agent does that is cut off, as the operator has told it last; kept where an agent that starts without the API server finds it. */
export class IsolationOrders {
  readonly #path: string;
  #orders: HostIsolation | undefined;

  private constructor(path: string, orders: HostIsolation | undefined) {
    this.#path = path;
    this.#orders = orders;
  }

  /** @throws Error when the file cannot be read. */
  static async load(stateDirectory: string): Promise<IsolationOrders> {
    const path = join(stateDirectory, 'isolation.json');
    try {
      const orders = HostIsolation.nullable().parse(JSON.parse(await readFile(path, 'utf8')));
      return new IsolationOrders(path, orders ?? undefined);
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return new IsolationOrders(path, undefined);
      // What is not known is not done: VMs run on.
      if (error instanceof SyntaxError || error instanceof z.ZodError) return new IsolationOrders(path, undefined);
      throw error;
    }
  }

  get(): HostIsolation | undefined {
    return this.#orders;
  }

  async keep(orders: HostIsolation | undefined): Promise<void> {
    if (JSON.stringify(orders) === JSON.stringify(this.#orders)) return;
    this.#orders = orders;
    await writeFileDurably(this.#path, `${JSON.stringify(orders ?? null)}\n`, 0o600);
  }
}
