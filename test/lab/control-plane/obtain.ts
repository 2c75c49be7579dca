import type { Report } from '../report.ts';
import { buildProgram } from './build.ts';
import { type ControlPlaneProgram, findProgram } from './programs.ts';

/** Paths of the programs; those that this machine does not have are built first, one after the other. */
export async function obtainPrograms<Name extends ControlPlaneProgram>(
  names: readonly Name[],
  report: Report,
): Promise<Record<Name, string>> {
  const paths: Partial<Record<Name, string>> = {};
  for (const name of names) paths[name] = findProgram(name) ?? (await buildProgram(name, report));
  return paths as Record<Name, string>;
}
