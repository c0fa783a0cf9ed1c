import type { ProbeReport, Report } from '../report.ts';
import { createCards } from './cards.ts';
import { onSchemeChange } from './colours.ts';
import { costFamilies, figuresOf, lossFamilies } from './cost.ts';
import { byId, element, setChildren, setText } from './element.ts';
import { createHistory, wholePod } from './history.ts';
import { type Answer, interval, startPolling } from './poll.ts';
import { badgeOf, createProbeSection, type ProbeSection, setTexts } from './probe-section.ts';
import { createReader } from './scrape.ts';
import { cardOf, clock, programsTable, sortOut, type Wish } from './views.ts';

/** Seconds without a scrape after which a line has a gap: what was in between is not known. */
const longestStep = (interval / 1000) * 4;
/** Seconds for which it is told that the sidecar has begun anew. */
const restartToldFor = 60;

const history = createHistory();
const readScrape = createReader();
const sections = new Map<string, ProbeSection>();
const wish: Wish = {};
let report: Report | undefined;
let restarted: number | undefined;
let failingSince: number | undefined;

const read = (name: string, at: number | undefined) => cardOf(history, name, { ...wish, at });
const cost = byId('cost');
const costCards = createCards(cost.querySelector('.cards')!, (name, at) => cardOf(history, name, { at }));
const container = byId<HTMLSelectElement>('container');
const pauseButton = byId<HTMLButtonElement>('pause');
const polling = startPolling(take, fail);

container.addEventListener('change', () => {
  wish.container = container.value || undefined;
  show();
});
pauseButton.addEventListener('click', () => {
  const isPaused = pauseButton.getAttribute('aria-pressed') !== 'true';
  pauseButton.setAttribute('aria-pressed', String(isPaused));
  polling.pause(isPaused);
});
onSchemeChange(() => {
  costCards.redraw();
  for (const { cards } of sections.values()) cards.redraw();
});

function take({ report: now, metrics, at }: Answer): void {
  const scrape = readScrape(metrics);
  const isNew = report !== undefined && report.started !== now.started;
  if (isNew) restarted = now.started;
  if (isNew || (history.latest && at - history.latest.at > longestStep)) history.breakOff();
  history.add({ at, scrape });
  report = now;
  failingSince = undefined;
  setText(byId('updated'), `updated at ${clock(at)}`);
  const told = restarted !== undefined && at - restarted < restartToldFor;
  tell(told ? `The sidecar began anew at ${clock(restarted!)}, and its counters with it.` : '', 'good');
  show();
}

function fail(reason: string): void {
  failingSince ??= history.latest?.at ?? Date.now() / 1000;
  tell(
    `Nothing new from the sidecar since ${clock(failingSince)}: ${reason}. It is asked again every ${interval / 1000} s.`,
    'bad',
  );
}

/** For screen readers too, which read it whenever it changes. */
function tell(words: string, kind: string): void {
  const place = byId('connection');
  setText(place, words);
  place.className = words === '' ? '' : `notice ${kind}`;
}

function show(): void {
  if (!report || !history.latest) return;
  showHead(report);
  showContainers();
  const { probes, settled } = report;
  for (const [name, { root, cards }] of sections)
    if (!probes.some((probe) => probe.name === name)) {
      cards.remove();
      root.remove();
      sections.delete(name);
    }
  for (const probe of probes) showProbe(probe, settled);
  setChildren(
    byId('probes'),
    probes.map(({ name }) => sections.get(name)!.root),
  );
  showCost();
}

function showHead(now: Report): void {
  const { version, namespace, pod, uid, node, containers, probes, settled, notes, problems } = now;
  document.title = `${pod} · bpf-sidecar`;
  setText(byId('version'), version);
  setText(byId('pod'), `${namespace}/${pod}`);
  const state = byId('state');
  const { words, kind } = stateOf(now);
  setText(state, words);
  state.className = `badge ${kind}`;
  setPairs(byId('identity'), [
    ['containers', containers.join(', ') || 'none yet'],
    ['node', node],
    ['uid', uid],
  ]);
  const told = [...problems, ...notes.filter((note) => !problems.includes(note))];
  byId('problems').hidden = told.length === 0;
  setText(byId('problems-title'), problems.length > 0 ? 'Problems' : 'Notes');
  const list = byId('problems').querySelector('ul')!;
  list.classList.toggle('problems', problems.length > 0);
  setTexts(list, told);
  showLinks(probes, settled);
}

function stateOf({ settled, problems, probes }: Report): { words: string; kind: string } {
  if (!settled) return { words: 'attaching…', kind: 'waiting' };
  if (problems.length > 0) return { words: `problems: ${problems.length}`, kind: 'bad' };
  if (probes.length === 0) return { words: 'no probe is switched on', kind: 'waiting' };
  return { words: 'every probe is attached', kind: 'good' };
}

function showLinks(probes: readonly ProbeReport[], settled: boolean): void {
  const links = byId('links');
  const items = probes.map(
    ({ name }) =>
      [...links.children].find((item) => item.textContent?.startsWith(`${name}:`)) ??
      element('li', {}, element('a', { href: `#probe-${name}` }, name, element('span', { class: 'hidden' }))),
  );
  setChildren(links, items);
  probes.forEach((probe, index) => {
    const { words, kind } = badgeOf(probe, settled);
    const link = items[index]!.querySelector('a')!;
    link.className = `dot ${kind}`;
    setText(link.querySelector('span')!, `: ${words}`);
  });
}

/** Those that the series are of, also when they are gone. */
function showContainers(): void {
  const names = new Set<string>();
  for (const { lines, columns } of history.courses.values())
    for (const track of [lines, columns]) for (const name of track.keys()) names.add(name.split(' ')[0]!);
  for (const name of ['bpf-sidecar', wholePod]) names.delete(name);
  if (wish.container !== undefined) names.add(wish.container);
  const wanted = ['', ...[...names].sort()];
  setChildren(
    container,
    wanted.map(
      (value) =>
        [...container.options].find((option) => option.value === value) ??
        element('option', { value }, value),
    ),
  );
}

function showProbe(probe: ProbeReport, settled: boolean): void {
  const { name, metrics } = probe;
  const section = sections.get(name) ?? createProbeSection(name, read);
  sections.set(name, section);
  const { scrape } = history.latest!;
  section.update({
    probe,
    settled,
    families: sortOut(scrape, metrics, wish),
    programs: programsTable(history, probe),
    container: wish.container,
  });
}

function showCost(): void {
  setPairs(
    cost.querySelector('.figures')!,
    figuresOf(history).map(({ what, value }) => [what, value]),
  );
  const { scrape } = history.latest!;
  byId('uncounted').hidden = scrape.has('bpf_sidecar_program_run_seconds_total');
  const [plotted] = sortOut(scrape, [...costFamilies, ...lossFamilies], {});
  costCards.update(plotted);
}

/** Terms and what they are, in a description list. */
function setPairs(list: Element, pairs: readonly (readonly [string, string])[]): void {
  setChildren(
    list,
    pairs.map((_, index) => list.children[index] ?? element('div', {}, element('dt'), element('dd'))),
  );
  pairs.forEach(([term, description], index) => {
    const [dt, dd] = list.children[index]!.children;
    setText(dt!, term);
    setText(dd!, description);
  });
}
