import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cardOf, most, programsTable, type Row, sortOut, type Table } from '../../../sidecar/page/views.ts';
import { family, histogram, historyOf } from './readings.ts';

const written = ({ rows }: Table) =>
  rows.map((row) => row.map((cell: Row[number]) => (typeof cell === 'string' ? cell : cell.text)));
const titles = ({ columns }: Table) => columns.map(({ title }) => title);
const name = 'bpf_io_bytes_total';
const bytes = (samples: Record<string, number>) => family(name, 'counter', samples);

test('a counter has a line for each container, its rate and total, and its busiest label values', () => {
  const card = cardOf(
    historyOf(
      bytes({
        'container="web",way="in"': 0,
        'container="web",way="out"': 10,
        'container="idle",way="in"': 0,
      }),
      bytes({
        'container="web",way="in"': 2048,
        'container="web",way="out"': 10250,
        'container="idle",way="in"': 0,
      }),
    ),
    name,
    {},
  )!;
  const [legend, busiest] = card.tables;
  assert.deepEqual(titles(legend!), ['container', 'now', 'most', 'total']);
  assert.deepEqual(written(legend!), [['web', '1.20 KiB/s', '1.20 KiB/s', '12.0 KiB']]);
  assert.equal(busiest!.caption, 'Busiest in the last 10 s');
  assert.deepEqual(titles(busiest!), ['way', 'container', 'rate', 'total']);
  assert.deepEqual(written(busiest!), [
    ['out', 'web', '1 KiB/s', '10.0 KiB'],
    ['in', 'web', '205 B/s', '2 KiB'],
    ['in', 'idle', '0 B/s', '0 B'],
  ]);
  assert.equal(card.alternative, 'Plot of What it is. web: now 1.20 KiB/s, most 1.20 KiB/s, total 12.0 KiB');
});

test('a histogram has quantiles by container and its slowest label values, and a column for each time', () => {
  const card = cardOf(
    historyOf(
      histogram('t_seconds', {
        'container="web",op="read"': [5, 5, 5],
        'container="web",op="write"': [0, 0, 0],
      }),
      histogram('t_seconds', {
        'container="web",op="read"': [15, 15, 15],
        'container="web",op="write"': [0, 10, 10],
      }),
    ),
    't_seconds',
    {},
  )!;
  assert.deepEqual([card.title, card.explanation], ['How long it takes', 'from here to there.']);
  assert.deepEqual(card.plot, { kind: 'heat map', bounds: [1, 3, Infinity], columns: [null, [1, 1, 0]] });
  const [containers, slowest] = card.tables;
  assert.deepEqual(written(containers!), [['web', '2/s', '1 s', '2.60 s', '2.96 s', '25']]);
  assert.equal(slowest!.caption, 'Slowest in the last 10 s');
  assert.deepEqual(written(slowest!), [
    ['write', 'web', '1/s', '2.98 s'],
    ['read', 'web', '1/s', '990 ms'],
  ]);
});

test('before there are rates the tables are of the time since the sidecar began', () => {
  const { tables } = cardOf(historyOf(bytes({ 'container="web",way="in"': 9 })), name, {})!;
  assert.deepEqual(tables.map(written), [[['web', '–', '–', '9 B']], [['in', 'web', '–', '9 B']]]);
  assert.equal(tables[1]!.caption, 'Busiest since the sidecar began');
});

test('of 10,000 series and 100 containers few are shown, those that do most, and the others counted', () => {
  const scrape = (factor: number) =>
    bytes(
      Object.fromEntries(
        Array.from({ length: 10_000 }, (_, index) => [
          `container="c${index % 100}",path="/${index}"`,
          index * factor,
        ]),
      ),
    );
  const { plot, tables } = cardOf(historyOf(scrape(1), scrape(2)), name, {})!;
  assert.ok(plot.kind === 'lines' && plot.lines.length === most);
  const [legend, busiest] = tables;
  assert.deepEqual([legend!.rows.length, legend!.more], [most, 100 - most]);
  assert.deepEqual([busiest!.rows.length, busiest!.more], [most, 10_000 - most]);
  assert.equal(busiest!.rows[0]![0], '/9999');
});

test('of one container only its own is shown', () => {
  const history = historyOf(
    bytes({ 'container="web",way="in"': 1, 'container="client",way="in"': 1 }),
    bytes({ 'container="web",way="in"': 11, 'container="client",way="in"': 11 }),
  );
  const { plot, tables } = cardOf(history, name, { container: 'web' })!;
  assert.deepEqual(plot.kind === 'lines' && plot.lines, [{ name: 'web', values: [null, 1] }]);
  assert.deepEqual(
    tables.map((table) => table.rows.length),
    [1, 1],
  );
});

test('the numbers of an earlier time are told with its clock', () => {
  const history = historyOf(
    bytes({ 'container="web"': 0 }),
    bytes({ 'container="web"': 10 }),
    bytes({ 'container="web"': 40 }),
  );
  const [legend] = cardOf(history, name, { at: 1 })!.tables;
  assert.match(titles(legend!)[1]!, /^\d\d:\d\d:10$|^\d\d:\d\d:50$/);
  assert.deepEqual(written(legend!), [['web', '1 B/s', '3 B/s', '40 B']]);
});

test('what has counted nothing is only named, also where the scrape does not have it', () => {
  const { latest } = historyOf(
    bytes({ 'container="web"': 0 }) +
      family('busy', 'gauge', { 'container="web"': 1 }) +
      family('h_gcount', 'gauge', { 'a="b"': 3 }),
  );
  assert.deepEqual(sortOut(latest!.scrape, [name, 'busy', 'h', 'absent_total'], {}), [
    ['busy', 'h_gcount'],
    [name, 'absent_total'],
  ]);
  assert.deepEqual(sortOut(latest!.scrape, ['busy'], { container: 'client' }), [[], ['busy']]);
});

test('programs have their runs and time where the kernel counts these', () => {
  const probe = {
    name: 'tcp',
    state: '1 program(s)',
    attached: true,
    metrics: [],
    programs: [{ name: 'on_event', section: 'sockops', state: 'attached', attached: true }],
  };
  assert.deepEqual(written(programsTable(historyOf('', ''), probe)), [['on_event', 'sockops', 'attached']]);
  const ran = (runs: number) =>
    family('bpf_sidecar_program_runs_total', 'counter', { 'probe="tcp",program="on_event"': runs }) +
    family('bpf_sidecar_program_run_seconds_total', 'counter', {
      'probe="tcp",program="on_event"': runs * 2e-7,
    });
  assert.deepEqual(written(programsTable(historyOf(ran(100), ran(1100)), probe)), [
    ['on_event', 'sockops', 'attached', '100/s', '200 ns'],
  ]);
});
