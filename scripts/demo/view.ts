import { blank, type Emphasis, type Line } from '../../webhook/cli/top/terminal.ts';
import { formatBytes, formatNumber, formatSeconds } from '../../webhook/cli/top/units.ts';
import type { Figures, Traffic } from './figures.ts';

/** The pod as three tables, no line wider than `width`. */
export function tables(containers: readonly Figures[], width: number): Line[] {
  return [
    ...syscallTable(containers),
    blank,
    ...networkTable(containers),
    blank,
    ...tcpTable(containers),
  ].map((line) => ({ ...line, text: line.text.slice(0, width) }));
}

function syscallTable(containers: readonly Figures[]): Line[] {
  return [
    row('heading', 'System calls', ['calls/s', 'errors/s', 'p50', 'p99']),
    ...containers.flatMap(({ container, syscalls }) => [
      row('plain', container, [formatNumber(syscalls.perSecond), formatNumber(syscalls.errorsPerSecond)]),
      ...syscalls.top.map(({ name, perSecond, errorsPerSecond, duration }) =>
        row('faint', `  ${name}`, [
          formatNumber(perSecond),
          formatNumber(errorsPerSecond),
          formatSeconds(duration.p50),
          formatSeconds(duration.p99),
        ]),
      ),
    ]),
  ];
}

function networkTable(containers: readonly Figures[]): Line[] {
  const cells = ({ bytesPerSecond, packetsPerSecond }: Traffic) => [
    formatBytes(bytesPerSecond),
    formatNumber(packetsPerSecond),
  ];
  return [
    row('heading', 'Network', ['received', 'packets/s', 'sent', 'packets/s']),
    ...containers.map(({ container, receive, transmit }) =>
      row('plain', container, [...cells(receive), ...cells(transmit)]),
    ),
  ];
}

function tcpTable(containers: readonly Figures[]): Line[] {
  return [
    row('heading', 'TCP connections', ['opened', 'accepted', 'failed', 'open', 'retransmits']),
    ...containers.map(({ container, tcp }) =>
      row('plain', container, [
        ...[tcp.opened, tcp.accepted, tcp.failed].map(formatNumber),
        formatNumber(tcp.opened + tcp.accepted - tcp.closed),
        formatNumber(tcp.retransmits),
      ]),
    ),
    blank,
    row('heading', 'TCP times', ['RTT p50', 'RTT p99', 'connect p50', 'connect p99']),
    ...containers.map(({ container, rtt, connect }) =>
      row('plain', container, [rtt.p50, rtt.p99, connect.p50, connect.p99].map(formatSeconds)),
    ),
  ];
}

function row(emphasis: Emphasis, title: string, cells: readonly string[]): Line {
  const text = `  ${title.slice(0, 17).padEnd(17)}${cells.map((cell) => cell.padStart(12)).join('')}`;
  return { text: text.trimEnd(), emphasis };
}

/** The same in a line per container, for output that is not a terminal. */
export function summaries(containers: readonly Figures[], seconds: number): string[] {
  return containers.map(({ container, syscalls, receive, transmit, tcp, rtt }) => {
    const parts = [
      `${formatNumber(syscalls.perSecond)} syscalls/s`,
      `received ${formatBytes(receive.bytesPerSecond)}`,
      `sent ${formatBytes(transmit.bytesPerSecond)}`,
      `TCP ${tcp.opened} opened, ${tcp.accepted} accepted, ${tcp.failed} failed`,
      `RTT p50 ${formatSeconds(rtt.p50)}`,
    ];
    return `  ${`${seconds} s`.padStart(5)}  ${container}: ${parts.join('; ')}`;
  });
}
