import { existsSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { attempt } from './attempt.ts';
import type { Capability } from './contract/capabilities.ts';
import type { Log } from './contract/log.ts';
import { mountPaths } from './contract/pod.ts';
import { isBuiltin } from './contract/probes.ts';
import { createShrinking } from './footprint.ts';
import { removeFilters } from './libbpf/filter.ts';
import { readAncestors } from './pod/ancestors.ts';
import { findPodCgroup, type PodCgroup } from './pod/cgroups.ts';
import { type Containers, createContainers } from './pod/containers.ts';
import type { Identity } from './pod/identity.ts';
import { interfaces } from './pod/interfaces.ts';
import { watchDirectory } from './pod/watch.ts';
import type { Privilege } from './privilege.ts';
import { type Probe, type ProgramState, startProbe } from './probe.ts';
import type { ProbeContext } from './probe-reader.ts';
import type { Hooks } from './programs/hooks/hooks.ts';
import { shareHooks } from './programs/hooks/shared.ts';
import type { Family } from './series/family.ts';
import { createShares } from './series/shares.ts';
import { attachOnlyReason, describeIneffective, type PodSettings, readSettings } from './settings.ts';
import { type WantedProbe, wantedProbes } from './source.ts';

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
  /** Why its files as they are now cannot be accepted; those before are in force. */
  rejected?: string;
  problem?: string;
  /** What of its spec has no effect. */
  remark?: string;
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
  /**
   * One scrape of all probes, of which each map is read when its families are asked for. What cannot be read is left out
   * and reported.
   */
  read(onError: (probe: string, error: Error) => void): Iterable<Family>;
  /** The probes at work, for what they tell of themselves. */
  probes(): Iterable<Probe>;
  /** Names of the containers that are there, as far as kubelet has told them. */
  containers(): string[];
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

/** A probe at work, and which version of its files it is. */
interface RunningProbe {
  probe: Probe;
  version: string;
}

/** What was last read: the annotations, and which versions of the probes' files they meant. */
interface Reading {
  settings: PodSettings | Error;
  versions: readonly string[];
}

/**
 * Attaches nothing yet: the first update does. Once it has, of the sidecar's capabilities are kept those that `later`
 * changes need.
 */
export function createSidecar(
  identity: Identity,
  log: Log,
  privilege: Privilege,
  later: readonly Capability[],
): { sidecar: Sidecar; update: Update } {
  let status: Status = { settled: false, probes: [] };
  const running = new Map<string, RunningProbe>();
  const shares = createShares();
  const loadErrors = new Map<string, number>();
  const footprint = createShrinking();
  let pod: Pod | undefined;
  let created: PodSettings | undefined;
  let lastRead: Reading | undefined;
  let acceptances = 0;
  let lastUpdate: ReturnType<Update> = Promise.resolve(undefined);
  let closed = false;

  async function update(): ReturnType<Update> {
    const settings = attempt(readSettings);
    const wanted = settings instanceof Error ? [] : wantedProbes(settings, identity.programsWithSpec);
    const reading = { settings, versions: wanted.map(({ version }) => version) };
    if (closed || isDeepStrictEqual(reading, lastRead)) return undefined;
    lastRead = reading;
    if (settings instanceof Error) {
      status = { ...status, settled: true, rejected: settings.message };
      log('error', settings.message);
      return 'rejected';
    }
    await privilege.during(() => accept(settings, wanted));
    privilege.keepOnly(
      identity.attachOnly ? [...running.values()].flatMap(({ probe }) => probe.needs) : later,
    );
    return status.probes.some(({ rejected }) => rejected !== undefined) ? 'rejected' : 'accepted';
  }

  async function accept(settings: PodSettings, wanted: readonly WantedProbe[]): Promise<void> {
    created ??= settings;
    acceptances++;
    const before = status;
    const ineffective = describeIneffective(created, settings, identity.attachOnly);
    const toldBefore = ineffective === status.ineffective;
    status = {
      settled: false,
      settings,
      ...(ineffective !== undefined && { ineffective }),
      probes: [],
    };
    if (ineffective !== undefined && !toldBefore) log('warn', ineffective);
    try {
      if (identity.attachOnly && acceptances > 1) {
        status.probes = before.probes.map((probe) => asBefore(probe, wanted));
        if (before.problem !== undefined) status.problem = before.problem;
      } else {
        await detachAllBut(wanted);
        await attachWanted(wanted);
      }
    } catch (error) {
      status.problem = (error as Error).message;
    }
    // Ended before it was through: nothing is attached and nothing is wrong.
    if (closed) return;
    status.settled = true;
    for (const problem of [...rejectionsOf(status), ...problemsOf(status)]) log('error', problem);
    for (const remark of remarksOf(status)) log('warn', remark);
    if (isReady(status))
      log('info', 'every probe is attached', { probes: status.probes.map(({ name }) => name) });
    footprint.shrink();
  }

  /** What becomes of a probe when no probe can change any more. */
  function asBefore({ name, problem, programs }: ProbeStatus, wanted: readonly WantedProbe[]): ProbeStatus {
    const now = wanted.find((probe) => probe.name === name)?.version;
    const version = running.get(name)?.version;
    const changed = now !== undefined && version !== undefined && now !== version;
    return {
      name,
      ...(problem !== undefined && { problem }),
      ...(changed && { rejected: `${attachOnlyReason}; create the pod anew` }),
      programs,
    };
  }

  async function detachAllBut(wanted: readonly { name: string }[]): Promise<void> {
    const unwanted = [...running].filter(([name]) => !wanted.some((probe) => probe.name === name));
    if (unwanted.length === 0) return;
    for (const [name] of unwanted) running.delete(name);
    await pod?.hooks.exclusively(() => {
      for (const [, { probe }] of unwanted) probe.close();
    });
  }

  async function attachWanted(wanted: readonly WantedProbe[]): Promise<void> {
    pod ??= observePod();
    const done: ProbeStatus[] = [];
    const show = () => {
      const later = wanted.slice(done.length).flatMap(({ name }) => running.get(name)?.probe ?? []);
      status.probes = [...done, ...later];
    };
    show();
    for (const probe of wanted) {
      // A turn of the event loop between probes, to answer /healthz meanwhile.
      await setImmediate();
      done.push(await bringUp(probe, pod));
      if (closed) return;
      show();
    }
  }

  /** A new version of a probe takes over from the one before only when it can be started. */
  async function bringUp(
    { name, version, read }: WantedProbe,
    { cgroup, context, hooks }: Pod,
  ): Promise<ProbeStatus> {
    const before = running.get(name);
    if (before?.version === version) return before.probe;
    try {
      const source = await read();
      return await hooks.exclusively(() => {
        if (closed) return { name, programs: [] };
        const probe = startProbe(source, cgroup, context, hooks, shares);
        const problem = before ? newProblem(before.probe, probe) : unfollowable(probe);
        if (problem !== undefined) {
          probe.close();
          throw new Error(problem);
        }
        before?.probe.close();
        running.set(name, { probe, version });
        countLoadErrors(name, probe.programsRefused);
        return probe;
      });
    } catch (error) {
      const { message } = error as Error;
      countLoadErrors(name, 1);
      if (before === undefined) return { name, problem: message, programs: [] };
      return { name, rejected: message, programs: before.probe.programs };
    }
  }

  /** Why a probe that is brought in line with later containers would not be. */
  function unfollowable({ follow }: Probe): string | undefined {
    if (!identity.attachOnly || follow === undefined) return undefined;
    return `its programs on functions of executables are attached when containers start, and ${attachOnlyReason}`;
  }

  function countLoadErrors(name: string, errors: number): void {
    if (errors > 0) loadErrors.set(name, (loadErrors.get(name) ?? 0) + errors);
  }

  function observePod(): Pod {
    const cgroup = {
      ...findPod(identity),
      onHostNetwork: identity.hostNetwork,
      mayObserveNode: identity.nodeWide,
    };
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
    if (!cgroup.onHostNetwork) for (const { index } of interfaces()) removeFilters(index);
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
        for (const _ of sidecar.read(() => {}));
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
    if (![...running.values()].some(({ probe }) => probe.follow)) return;
    const followAll = () => {
      for (const { probe } of running.values()) probe.follow?.();
    };
    await privilege
      .during(async () => pod?.hooks.exclusively(followAll))
      .catch((error: Error) => log('error', 'new containers cannot be followed', { error: error.message }));
  }

  const sidecar: Sidecar = {
    get status() {
      return status;
    },
    *read(onError) {
      pod?.containers.refresh();
      for (const { probe } of running.values()) {
        try {
          if (isBuiltin(probe.name)) yield* probe.families();
          else yield* privilege.briefly(probe.read);
        } catch (error) {
          onError(probe.name, error as Error);
        }
      }
    },
    probes: () => [...running.values()].map(({ probe }) => probe),
    containers: () => pod?.containers.named() ?? [],
    loadErrors,
    podLabels: () => status.settings?.seriesLabels ?? {},
    async close() {
      closed = true;
      await lastUpdate;
      footprint.stop();
      pod?.stopWatching();
      await privilege
        .during(() => detachAllBut([]))
        .catch((error: Error) => log('error', 'probes cannot be detached', { error: error.message }));
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

/** Why a program does not work in a new version of a probe, when more of them do not than before. */
function newProblem(before: Probe, now: Probe): string | undefined {
  const problems = ({ programs }: Probe) => programs.flatMap(({ problem }) => problem ?? []);
  return problems(now).length > problems(before).length ? problems(now)[0] : undefined;
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

/** One sentence for what a spec has in vain, and for each program that does not count the pod alone. */
function remarksOf(status: Status): string[] {
  return status.probes.flatMap(({ name, remark, programs }) => [
    ...(remark === undefined ? [] : [`probe ${name}: ${remark}`]),
    ...programs.flatMap((program) =>
      program.remark === undefined
        ? []
        : [`probe ${name}: program ${program.name}: approximate: ${program.remark}`],
    ),
  ]);
}

/** One sentence for each probe whose changed files are not in force. */
function rejectionsOf(status: Status): string[] {
  return status.probes.flatMap(({ name, rejected }) =>
    rejected === undefined
      ? []
      : [`probe ${name}: its changed files are not accepted, those before are in force: ${rejected}`],
  );
}

function findPod(identity: Identity): PodCgroup {
  if (!existsSync('/sys/kernel/btf/vmlinux'))
    throw new Error(
      'the kernel has no BTF (/sys/kernel/btf/vmlinux): it must be built with CONFIG_DEBUG_INFO_BTF',
    );
  return findPodCgroup(identity.uid, readAncestors());
}
