/**
 * A boot of a host as everything but its kernel names it. It is the kernel's boot id as long as the host's lease on storage has not
 * lapsed in it. After a lapse nothing of that boot runs any more, for ever, and the host can serve under the next name: `<boot id>.2`, then
 * `.3`, each one term of the lease. To whoever asks whether a boot is over, a term is a boot.
 */
export function nextTerm(bootID: string): string {
  return `${kernelBootOf(bootID)}.${termOf(bootID) + 1}`;
}

/** The kernel's boot id. */
export function kernelBootOf(bootID: string): string {
  return bootID.split('.', 1)[0] ?? bootID;
}

/** Whether one term began after the other had ended: both are of the same boot of the kernel. Of two boots nobody can tell. */
export function isLaterTerm(bootID: string, than: string): boolean {
  return kernelBootOf(bootID) === kernelBootOf(than) && termOf(bootID) > termOf(than);
}

function termOf(bootID: string): number {
  return Number(bootID.split('.')[1] ?? 1);
}
