import type { HostModel } from '../../model/host.ts';
import type { PlacementRequest } from '../request.ts';
import type { Scorer } from '../scorer.ts';

/** Whether one NUMA cell of the host is large enough for the VM: its memory is then never remote. */
export const numaRoom: Scorer = {
  name: 'numaRoom',
  weight: 0.5,
  prepare: (request, { hosts }) =>
    hosts.every((host) => fitsOneCell(request, host)) ? undefined : (host) => (fitsOneCell(request, host) ? 1 : 0),
  say: (score) => (score === 1 ? 'fits one of its NUMA cells' : 'fits none of its NUMA cells'),
};

/** A host that has told of no cells has one. */
function fitsOneCell({ vcpus, reserved: { memoryBytes } }: PlacementRequest, { numaCells }: HostModel): boolean {
  return numaCells.length === 0 || numaCells.some((cell) => vcpus <= cell.threads && memoryBytes <= cell.memoryBytes);
}
