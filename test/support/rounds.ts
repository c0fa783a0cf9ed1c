const rounds = 5;

/**
 * For exact counts of events in the context of whatever process is current: a kernel may run no eBPF program
 * while a protected process (the init of some virtual machines) is, so an event in a few hundred is lost before
 * any program can see it. One of the rounds has to be exact; returns or throws what the last one did.
 */
export async function exactInSomeRound(round: () => Promise<void>): Promise<void> {
  for (let left = rounds - 1; left > 0; left--) {
    try {
      return await round();
    } catch {}
  }
  await round();
}
