import { existsSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { attempt } from './attempt.ts';
import type { Log } from './contract/log.ts';
import { mountPaths } from './contract/pod.ts';
import { libc } from './libbpf/native.ts';
import { readAncestors } from './pod/ancestors.ts';
import { findPodCgroup, type PodCgroup } from './pod/cgroups.ts';
import { type Containers, createContainers } from './pod/containers.ts';
import type { Identity } from './pod/identity.ts';
import { watchDirectory } from './pod/watch.ts';
import { type Probe, type ProgramState, startProbe } from './probe.ts';
import type { ProbeContext } from './probe-reader.ts';
import type { Hooks } from './programs/hooks/hooks.ts';
import { shareHooks } from './programs/hooks/shared.ts';
import type { Family } from './series/family.ts';
import { createShares } from './series/shares.ts';
import { describeIneffective, type PodSettings, readSettings } from './settings.ts';
import { builtinProbe } from './source.ts';

/** What the sidecar is doing, for /readyz, the status page and its own metrics. */
export interface Status {
  /** Whether every probe is attached or has failed for good. */
  settled: boolean;
  /** Those in force: the last that could be accepted. */
  settings?: PodSettings;
  /** Why the pod's annotations as they are now cannot be accepted. */
  rejected?: string;
  /** Which accepted changes a running pod cannot follow. */
  ineffective?: string;
  /** What keeps the whole sidecar from working. */
  problem?: string;
  probes: ProbeStatus[];
}

export interface ProbeStatus {
  name: string;
  problem?: string;
  programs: readonly ProgramState[];
}

/** The pod that is observed, found at the first update that can. */
interface Pod {
  cgroup: PodCgroup;
  hooks: Hooks;
  containers: Containers;
  stopWatching(): void;
  context: ProbeContext;
}

/** The probes at work. */
export interface Sidecar {
  readonly status: Status;
  /** One scrape of all probes; a probe whose maps cannot be read is left out and reported. */
  read(onError: (probe: string, error: Error) => void): Family[];
  /** The probes at work, for what they tell of themselves. */
  probes(): Iterable<Probe>;
  /** How often each probe, or a program of it, could not be loaded. */
  loadErrors: ReadonlyMap<string, number>;
  /** Labels of the pod that its annotations ask for, by label name. */
  podLabels(): Record<string, string>;
  /** Detaches all probes. Never rejects. */
  close(): Promise<void>;
}

/**
 * Brings the probes in line with the pod's annotations, at the start and whenever these may have changed, one
 * update after the other. Probes that are still wanted are not touched; annotations that cannot be accepted
 * leave everything as it was. Never rejects. Resolves to what became of a change, undefined when there was none.
 */
export type Update = () => Promise<'accepted' | 'rejected' | undefined>;

/** Milliseconds from the end of a container to the reading that frees its entries, for many may end at once. */
const foldPause = 250;

/**
 * Milliseconds from the cgroup of a new container to looking for its files: what first runs in it is the runtime, which
 * only then becomes the application.
 */
const followPauses = [100, 1_000, 5_000];

/** Attaches nothing yet: the first update does. */
export function createSidecar(identity: Identity, log: Log): { sidecar: Sidecar; update: Update } {
  let status: Status = { settled: false, probes: [] };
  const probes = new Map<string, Probe>();
  const shares = createShares();
  const loadErrors = new Map<string, number>();
  let pod: Pod | undefined;
  let created: PodSettings | undefined;
  let lastRead: PodSettings | Error | undefined;
  let acceptances = 0;
  let lastUpdate: ReturnType<Update> = Promise.resolve(undefined);
  let closed = false;

  async function update(): ReturnType<Update> {
    const settings = attempt(readSettings);
    if (closed || isDeepStrictEqual(settings, lastRead)) return undefined;
    lastRead = settings;
    if (settings instanceof Error) {
      status = { ...status, settled: true, rejected: settings.message };
      log('error', settings.message);
      return 'rejected';
    }
    await accept(settings);
    return 'accepted';
  }

  async function accept(settings: PodSettings): Promise<void> {
    created ??= settings;
    acceptances++;
    const ineffective = describeIneffective(created, settings);
    const toldBefore = ineffective === status.ineffective;
    const kept = [...probes.values()].filter(({ name }) => settings.probes.includes(name));
    status = {
      settled: false,
      settings,
      ...(ineffective !== undefined && { ineffective }),
      probes: [...settings.programs.map(refuseProgram), ...kept],
    };
    if (ineffective !== undefined && !toldBefore) log('warn', ineffective);
    try {
      await detachAllBut(kept);
      await attachMissing(settings);
    } catch (error) {
      status.problem = (error as Error).message;
    }
    // Ended before it was through: nothing is attached and nothing is wrong.
    if (closed) return;
    status.settled = true;
    for (const problem of problemsOf(status)) log('error', problem);
    if (isReady(status)) log('info', 'every probe is attached', { probes: settings.probes });
    // Loading parsed the kernel's BTF several times: give those megabytes back.
    libc.malloc_trim(0);
  }

  async function detachAllBut(kept: readonly Probe[]): Promise<void> {
    const unwanted = [...probes.values()].filter((probe) => !kept.includes(probe));
    if (unwanted.length === 0) return;
    for (const { name } of unwanted) probes.delete(name);
    await pod?.hooks.exclusively(() => {
      for (const probe of unwanted) probe.close();
    });
  }

  async function attachMissing(settings: PodSettings): Promise<void> {
    pod ??= observePod();
    const { cgroup, context, hooks } = pod;
    for (const name of settings.probes) {
      if (probes.has(name)) continue;
      // A turn of the event loop between probes, to answer /healthz meanwhile.
      await setImmediate();
      const outcome = await hooks.exclusively(() =>
        closed ? undefined : attempt(() => startProbe(builtinProbe(name), cgroup, context, hooks, shares)),
      );
      if (outcome === undefined) return;
      if (outcome instanceof Error) {
        countLoadErrors(name, 1);
        status.probes.push({ name, problem: outcome.message, programs: [] });
      } else {
        countLoadErrors(name, outcome.programsRefused);
        probes.set(name, outcome);
        status.probes.push(outcome);
      }
    }
  }

  function countLoadErrors(name: string, errors: number): void {
    if (errors > 0) loadErrors.set(name, (loadErrors.get(name) ?? 0) + errors);
  }

  function observePod(): Pod {
    const cgroup = { ...findPod(identity), onHostNetwork: identity.hostNetwork };
    log('info', 'found the pod cgroup', { path: cgroup.path, depth: cgroup.level });
    const containers = createContainers(cgroup.path, mountPaths.containerLogs, identity);
    containers.refresh();
    const context = {
      containerName: containers.nameOf,
      wantsContainer(name: string) {
        const wanted = status.settings?.containers ?? [];
        return wanted.length === 0 || wanted.includes(name);
      },
      isGone: containers.isGone,
      departedId: containers.departedId,
      containerCgroups: containers.cgroups,
      generation: () => containers.generation() + acceptances,
    };
    const hooks = shareHooks(mountPaths.bpffs, cgroup, log);
    return { cgroup, hooks, containers, context, stopWatching: watchContainers(cgroup, containers) };
  }

  /** Learns of a container as it comes, and frees the map entries of those that go, also when nobody scrapes. */
  function watchContainers({ path }: PodCgroup, containers: Containers): () => void {
    let folding: NodeJS.Timeout | undefined;
    let following: NodeJS.Timeout[] = [];
    const stop = watchDirectory(path, 0, () => {
      for (const timer of following) clearTimeout(timer);
      following = followPauses.map((pause) => setTimeout(follow, pause));
      if (!containers.refresh()) return;
      folding ??= setTimeout(() => {
        folding = undefined;
        sidecar.read(() => {});
      }, foldPause);
    });
    return () => {
      stop();
      clearTimeout(folding);
      for (const timer of following) clearTimeout(timer);
    };
  }

  /** Never rejects. */
  async function follow(): Promise<void> {
    if (![...probes.values()].some((probe) => probe.follow)) return;
    await pod?.hooks
      .exclusively(() => {
        for (const probe of probes.values()) probe.follow?.();
      })
      .catch((error: Error) => log('error', 'new containers cannot be followed', { error: error.message }));
  }

  const sidecar: Sidecar = {
    get status() {
      return status;
    },
    read(onError) {
      pod?.containers.refresh();
      return [...probes.values()].flatMap((probe) => {
        const families = attempt(() => probe.read());
        if (!(families instanceof Error)) return families;
        onError(probe.name, families);
        return [];
      });
    },
    probes: () => probes.values(),
    loadErrors,
    podLabels: () => status.settings?.seriesLabels ?? {},
    async close() {
      closed = true;
      await lastUpdate;
      pod?.stopWatching();
      await detachAllBut([]).catch((error: Error) =>
        log('error', 'probes cannot be detached', { error: error.message }),
      );
    },
  };
  return {
    sidecar,
    update() {
      lastUpdate = lastUpdate.then(update);
      return lastUpdate;
    },
  };
}

function refuseProgram(name: string): ProbeStatus {
  return { name, problem: 'programs of BPF resources cannot be run by this version', programs: [] };
}

/** Whether every probe is attached with all its programs. */
export function isReady(status: Status): boolean {
  return status.settled && problemsOf(status).length === 0;
}

/** One sentence for each thing that does not work; a rejected change is none while the settings before it are in force. */
export function problemsOf(status: Status): string[] {
  const rejected = status.settings === undefined ? status.rejected : undefined;
  const ofProbes = status.probes.flatMap(({ name, problem, programs }) =>
    [problem, ...programs.map((program) => program.problem)]
      .filter((reason) => reason !== undefined)
      .map((reason) => `probe ${name}: ${reason}`),
  );
  return [rejected, status.problem, ...ofProbes].filter((problem) => problem !== undefined);
}

function findPod(identity: Identity): PodCgroup {
  if (!existsSync('/sys/kernel/btf/vmlinux'))
    throw new Error(
      'the kernel has no BTF (/sys/kernel/btf/vmlinux): it must be built with CONFIG_DEBUG_INFO_BTF',
    );
  return findPodCgroup(identity.uid, readAncestors());
}
