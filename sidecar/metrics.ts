import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { containerName } from './contract/pod.ts';
import { areStatisticsOn, type RunStatistics } from './libbpf/statistics.ts';
import type { Sidecar } from './sidecar.ts';
import { version } from './version.ts';

/** The sidecar's metrics about itself. */
export interface OwnMetrics {
  registry: Registry;
  scrapeDuration: Histogram;
  readErrors: Counter<'probe'>;
  configChanges: Counter<'result'>;
}

export function createOwnMetrics(sidecar: Sidecar): OwnMetrics {
  const registry = new Registry();
  registry.setDefaultLabels({ container: containerName });
  const registers = [registry];
  new Gauge({
    name: 'bpf_sidecar_build_info',
    help: 'Version of the sidecar; always 1.',
    labelNames: ['version'],
    registers,
  }).set({ version }, 1);
  new Gauge({
    name: 'bpf_sidecar_program_attached',
    help: 'Whether a program is attached; the reason why not is in the log and on the status page.',
    labelNames: ['probe', 'program'],
    registers,
    collect() {
      this.reset();
      for (const probe of sidecar.status.probes)
        for (const program of probe.programs)
          this.set({ probe: probe.name, program: program.name }, program.problem === undefined ? 1 : 0);
    },
  });
  runCounter('runs_total', 'Runs of a program, where the kernel counts them.', ({ runs }) => runs);
  runCounter('run_seconds_total', 'Time in a program, where the kernel counts it.', ({ seconds }) => seconds);

  /** Without series where the kernel does not count. */
  function runCounter(name: string, help: string, read: (statistics: RunStatistics) => number): void {
    new Counter({
      name: `bpf_sidecar_program_${name}`,
      help,
      labelNames: ['probe', 'program'],
      registers,
      collect() {
        this.reset();
        if (!areStatisticsOn()) return;
        for (const probe of sidecar.probes())
          for (const { program, ...statistics } of probe.statistics())
            this.inc({ probe: probe.name, program }, read(statistics));
      },
    });
  }

  new Gauge({
    name: 'bpf_sidecar_probe_loaded',
    help: "Whether a probe's object is loaded and its metric spec fits.",
    labelNames: ['probe'],
    registers,
    collect() {
      this.reset();
      for (const probe of sidecar.status.probes)
        this.set({ probe: probe.name }, probe.problem === undefined ? 1 : 0);
    },
  });
  new Gauge({
    name: 'bpf_sidecar_config_valid',
    help: "Whether the pod's annotations are accepted; when not, those accepted before them stay in force.",
    registers,
    collect() {
      this.set(sidecar.status.rejected === undefined ? 1 : 0);
    },
  });
  new Gauge({
    name: 'bpf_sidecar_resident_memory_bytes',
    help: 'Resident memory of the sidecar.',
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Counter({
    name: 'bpf_sidecar_cpu_seconds_total',
    help: 'User and system CPU time of the sidecar.',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  new Counter({
    name: 'bpf_sidecar_series_dropped_total',
    help: 'Series left out of scrapes because their family or the sidecar had its most.',
    labelNames: ['probe', 'reason'],
    registers,
    collect() {
      this.reset();
      for (const { name, losses } of sidecar.probes()) {
        this.inc({ probe: name, reason: 'family_full' }, losses.familyFull);
        this.inc({ probe: name, reason: 'sidecar_full' }, losses.sidecarFull);
      }
    },
  });
  new Counter({
    name: 'bpf_sidecar_label_values_changed_total',
    help: 'Label values that were too long and were cut, or too many and became ~other.',
    labelNames: ['probe', 'reason'],
    registers,
    collect() {
      this.reset();
      for (const { name, losses } of sidecar.probes()) {
        this.inc({ probe: name, reason: 'too_long' }, losses.cutValues);
        this.inc({ probe: name, reason: 'too_many' }, losses.foldedValues);
      }
    },
  });
  new Counter({
    name: 'bpf_sidecar_decode_errors_total',
    help: 'Entries of maps that are in no series because a decoder could not read their key.',
    labelNames: ['probe'],
    registers,
    collect() {
      this.reset();
      for (const { name, losses } of sidecar.probes()) this.inc({ probe: name }, losses.decodeErrors);
    },
  });
  new Counter({
    name: 'bpf_sidecar_exemplar_labels_dropped_total',
    help: 'Labels left out of exemplars because together they were too long for OpenMetrics.',
    labelNames: ['probe'],
    registers,
    collect() {
      this.reset();
      for (const { name, losses } of sidecar.probes()) this.inc({ probe: name }, losses.exemplarLabels);
    },
  });
  new Counter({
    name: 'bpf_sidecar_load_errors_total',
    help: "Times that a probe's object or a program of it could not be loaded, or its metric spec did not fit.",
    labelNames: ['probe'],
    registers,
    collect() {
      this.reset();
      for (const [probe, errors] of sidecar.loadErrors) this.inc({ probe }, errors);
    },
  });
  new Counter({
    name: 'bpf_sidecar_events_dropped_total',
    help: 'Events of ring buffers and perf event arrays that are in no series.',
    labelNames: ['probe'],
    registers,
    collect() {
      this.reset();
      for (const { name, droppedEvents } of sidecar.probes()) this.inc({ probe: name }, droppedEvents());
    },
  });
  fullnessGauge('entries', 'Entries of a map that can be full, when it was last read.');
  fullnessGauge('capacity', 'Entries that a map has room for.');

  function fullnessGauge(part: 'entries' | 'capacity', help: string): void {
    new Gauge({
      name: `bpf_sidecar_map_${part}`,
      help,
      labelNames: ['probe', 'map'],
      registers,
      collect() {
        this.reset();
        for (const { name, fullness } of sidecar.probes())
          for (const map of fullness()) this.set({ probe: name, map: map.map }, map[part]);
      },
    });
  }
  const configChanges = new Counter({
    name: 'bpf_sidecar_config_changes_total',
    help: "Changes of the pod's annotations while the sidecar ran.",
    labelNames: ['result'],
    registers,
  });
  for (const result of ['accepted', 'rejected']) configChanges.inc({ result }, 0);
  return {
    registry,
    scrapeDuration: new Histogram({
      name: 'bpf_sidecar_scrape_duration_seconds',
      help: 'Time to answer a scrape.',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25],
      registers,
    }),
    readErrors: new Counter({
      name: 'bpf_sidecar_read_errors_total',
      help: "Scrapes in which a probe's maps could not be read.",
      labelNames: ['probe'],
      registers,
    }),
    configChanges,
  };
}
