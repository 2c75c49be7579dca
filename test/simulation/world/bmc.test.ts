import { describe, expect, it } from 'vitest';
import { Timeline } from '../engine/timeline.ts';
import { type Powered, type PowerState, SimulatedBmc } from './bmc.ts';

class Machine implements Powered {
  power: PowerState = 'On';

  powerOff(): void {
    this.power = 'Off';
  }

  powerOn(): void {
    this.power = 'On';
  }
}

describe('a BMC', () => {
  it.each([
    ['switches its host off', {}, 'Off', 'done'],
    ['that lies has done nothing', { lies: true }, 'On', 'done'],
    ['that cannot be reached says so', { unreachable: true }, 'On', 'the BMC does not answer'],
    ['refuses a wrong password', { wrongPassword: true }, 'On', 'the BMC refuses the password'],
  ])('%s', async (_, faults, power, answer) => {
    const timeline = new Timeline({ kind: 'fixed' });
    const machine = new Machine();
    const bmc = new SimulatedBmc(machine, timeline);
    Object.assign(bmc.faults, faults);
    const said = bmc.setPower('Off').then(
      () => 'done',
      (error: Error) => error.message,
    );
    await timeline.run(60_000, () => undefined);
    expect(await said).toBe(answer);
    expect(machine.power).toBe(power);
  });
});
