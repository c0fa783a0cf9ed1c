import type { ProbeReport } from '../report.ts';
import { type Cards, createCards } from './cards.ts';
import { element, setChildren, setText } from './element.ts';
import { createTable } from './table.ts';
import { andMore, type Card, type Table } from './views.ts';

/** What is shown of a probe. */
export interface ProbeView {
  probe: ProbeReport;
  settled: boolean;
  /** The families that have counted something, and the names of those that have not. */
  families: readonly [string[], string[]];
  programs: Table;
  /** The one that the families are of; undefined for all. */
  container: string | undefined;
}

export interface ProbeSection {
  root: HTMLElement;
  update(shown: ProbeView): void;
  cards: Cards;
}

export function createProbeSection(
  name: string,
  read: (name: string, at: number | undefined) => Card | undefined,
): ProbeSection {
  const title = element('h2', { id: `probe-${name}-title` }, name);
  const badge = element('span', { class: 'badge' });
  const files = element('span', { class: 'faint' });
  const reasons = element('ul', { class: 'reasons' });
  const programs = createTable();
  const summary = element('summary');
  const details = element('details', {}, summary, programs.root);
  const grid = element('div', { class: 'cards' });
  const rest = element('p', { class: 'faint' });
  const idle = element('p', { class: 'idle faint' });
  const cards = createCards(grid, read);
  const root = element(
    'section',
    { id: `probe-${name}`, 'aria-labelledby': title.id },
    element('div', { class: 'section-head' }, title, badge, details, files),
    reasons,
    grid,
    rest,
    idle,
  );
  return {
    root,
    cards,
    update({ probe, settled, families: [busy, quiet], programs: table, container }) {
      const { words, kind } = badgeOf(probe, settled);
      setText(badge, words);
      badge.className = `badge ${kind}`;
      reasons.classList.toggle('problems', !probe.attached);
      setTexts(reasons, reasonsOf(probe));
      setText(files, probe.attached && probe.programs.length === 0 ? probe.state : '');
      setText(summary, probe.programs.length === 1 ? '1 program' : `${probe.programs.length} programs`);
      details.hidden = probe.programs.length === 0;
      programs.update(table);
      const left = cards.update(busy);
      setText(rest, left > 0 ? `${andMore(left)} metrics, at /metrics` : '');
      setText(
        idle,
        quiet.length > 0
          ? `Nothing counted ${container ? `of ${container}` : 'so far'}: ${quiet.join(', ')}`
          : '',
      );
    },
  };
}

/** What a probe's state is in two words, for its badge and for the link to it. */
export function badgeOf(
  { attached, programs }: ProbeReport,
  settled: boolean,
): { words: string; kind: string } {
  if (attached) return { words: 'attached', kind: 'good' };
  if (!settled) return { words: 'attaching…', kind: 'waiting' };
  const working = programs.filter((program) => program.attached).length;
  return {
    words: working === 0 ? 'not attached' : `${working} of ${programs.length} programs attached`,
    kind: 'bad',
  };
}

/** What is not as it should be or has to be known, in the sidecar's words. */
function reasonsOf({ state, attached, rejected, remark, programs }: ProbeReport): string[] {
  const ofPrograms = programs
    .filter((program) => program.state !== 'attached')
    .map((program) => `SEC("${program.section}") ${program.name}: ${program.state}`);
  const ofProbe = attached || programs.some((program) => !program.attached) ? undefined : state;
  return [rejected, ofProbe, remark, ...ofPrograms].filter((reason) => reason !== undefined);
}

export function setTexts(list: Element, texts: readonly string[]): void {
  setChildren(
    list,
    texts.map((_, index) => list.children[index] ?? element('li')),
  );
  texts.forEach((text, index) => {
    setText(list.children[index]!, text);
  });
}
