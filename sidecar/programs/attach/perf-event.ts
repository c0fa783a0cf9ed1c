import { onlineCpus } from '../../libbpf/cpus.ts';
import { BpfError } from '../../libbpf/error.ts';
import { attachPerfEvent, type Link } from '../../libbpf/link.ts';
import { type Program, retarget } from '../../libbpf/object.ts';
import { openPerfEvent, type PerfEvent } from '../../libbpf/perf-event.ts';
import { ProgramType } from '../../libbpf/types.ts';
import { behindDispatcher } from '../dispatch.ts';
import { joinLinks } from './join.ts';

const maxFrequency = 10_000;

/**
 * `perf_event/type=<n>,config=<n>,frequency=<Hz>`, as in cloudflare/ebpf_exporter, or `period=<events>` instead of the
 * frequency: an event on each CPU, which the kernel counts while a task of the pod runs. With `disabled=1` at the end it
 * does so only while somebody has it enabled.
 */
export const perfEvent = behindDispatcher({
  accepts: ({ type }) => type === ProgramType.perfEvent,
  dispatchers: () => [{ object: 'pod_task', constants: { asks_ancestor: 0 } }],
  verdict: 0,
  prepare: (dispatcher, { type, expectedAttachType }) => retarget(dispatcher, type, expectedAttachType),
  link(dispatcher, program, cgroup) {
    const event = parseEvent(program);
    const links: Link[] = [];
    try {
      for (const cpu of onlineCpus()) links.push(attachOn(cpu, dispatcher, event, cgroup));
      return joinLinks(links);
    } catch (error) {
      joinLinks(links).close();
      if (error instanceof BpfError && error.code === 'ENOENT')
        throw new Error(
          `program ${program.name}: this machine has no perf event of type ${event.type} and config ${event.config}`,
        );
      throw error;
    }
  },
});

function attachOn(cpu: number, program: Program, event: PerfEvent, cgroup: number): Link {
  return attachPerfEvent(program, openPerfEvent(event, { cpu, cgroup }), event.disabled);
}

function parseEvent({ name, section }: Program): PerfEvent {
  const [, type, config, rate, count, disabled] =
    /^perf_event\/type=(\d+),config=(0x[0-9a-fA-F]+|\d+),(frequency|period)=(\d+)(,disabled=1)?$/.exec(
      section,
    ) ?? [];
  const number = Number(count);
  if (type === undefined || config === undefined || !Number.isSafeInteger(number) || number < 1)
    throw new Error(
      `program ${name}: section "${section}" must be perf_event/type=<n>,config=<n>,frequency=<Hz> or …,period=<events>`,
    );
  if (rate === 'frequency' && number > maxFrequency)
    throw new Error(`program ${name}: a frequency of ${number} Hz is above the allowed ${maxFrequency}`);
  const rates = rate === 'frequency' ? { frequency: number } : { samplePeriod: number };
  return { type: Number(type), config: BigInt(config), ...rates, disabled: disabled !== undefined };
}
