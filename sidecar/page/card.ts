import { element, setChildren, setText } from './element.ts';
import { createHeatMap, type HeatMapWords } from './heat-map.ts';
import { createLinePlot, type Drawing } from './line-plot.ts';
import { createTable, type TableView } from './table.ts';
import type { Card } from './views.ts';

/** A family on the page: its plot and the tables to it. */
export interface CardView {
  root: HTMLElement;
  /** Shows what there is now, where somebody may see it. */
  update(): void;
  /** Draws it in the colours that there are now. */
  redraw(): void;
  remove(): void;
}

/** `read` gives what is to be shown: as it is now, or for a time of the plot by its index. */
export function createCard(name: string, read: (at: number | undefined) => Card | undefined): CardView {
  const title = element('h3', { id: `title-${name}` });
  const explanation = element('p', { class: 'faint explanation' });
  const area = element('div', { class: 'plot', role: 'img' });
  const scale = element('span');
  const cell = element('span', { class: 'cell' });
  const readout = element(
    'p',
    { class: 'readout faint', 'aria-hidden': 'true' },
    element('span', { class: 'colours' }),
    scale,
    cell,
  );
  const tables = element('div', { class: 'tables' });
  const root = element(
    'figure',
    { class: 'card', id: `family-${name}`, 'aria-labelledby': title.id },
    element('figcaption', {}, title, explanation, element('code', {}, name)),
    area,
    readout,
    tables,
  );
  const views: TableView[] = [];
  let drawing: Drawing | undefined;
  let kind: Card['plot']['kind'] | undefined;
  let isSeen = false;
  /** The time under the cursor. */
  let at: number | undefined;

  function write(card: Card): void {
    setText(title, card.title);
    setText(explanation, card.explanation);
    area.setAttribute('aria-label', card.alternative);
    while (views.length < card.tables.length) views.push(createTable());
    for (const [index, table] of card.tables.entries()) views[index]!.update(table);
    setChildren(
      tables,
      views.slice(0, card.tables.length).map((view) => view.root),
    );
    root.classList.toggle('wide', card.tables.length > 1);
  }

  function draw(card: Card): void {
    if (kind !== card.plot.kind) erase();
    kind = card.plot.kind;
    if (card.times.length < 2) return;
    readout.hidden = kind === 'lines';
    drawing ??= kind === 'lines' ? createLinePlot(area, point) : createHeatMap(area, tell);
    drawing.draw(card);
  }

  function tell(words: HeatMapWords): void {
    setText(scale, words.scale);
    setText(cell, words.cell);
  }

  function erase(): void {
    drawing?.remove();
    drawing = undefined;
  }

  function point(index: number | undefined): void {
    if (index === at) return;
    at = index;
    const card = read(at);
    if (card) write(card);
  }

  function update(): void {
    // What was never seen is there for who searches the page.
    if (!isSeen && views.length > 0) return;
    const card = read(at);
    if (!card) return;
    write(card);
    if (isSeen) draw(card);
  }

  const seeing = new IntersectionObserver(
    ([entry]) => {
      isSeen = entry!.isIntersecting;
      if (isSeen) update();
    },
    { rootMargin: '200px' },
  );
  const resizing = new ResizeObserver(() => drawing?.resize(area.clientWidth));
  seeing.observe(root);
  resizing.observe(area);

  return {
    root,
    update,
    redraw() {
      erase();
      update();
    },
    remove() {
      seeing.disconnect();
      resizing.disconnect();
      erase();
      root.remove();
    },
  };
}
