import type { Report } from '../report.ts';
import type { ControlPlaneProgram } from './programs.ts';

export async function buildProgram(name: ControlPlaneProgram, _report: Report): Promise<string> {
  throw new Error(`${name} is not on this machine.`);
}
