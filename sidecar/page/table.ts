import { placeOf } from './colours.ts';
import { element, setName, setText } from './element.ts';
import { andMore, type Row, type Table } from './views.ts';

/** A table that is brought up to date in place: what somebody has selected or is reading in it stays. */
export interface TableView {
  root: HTMLElement;
  update(table: Table): void;
}

export function createTable(): TableView {
  const caption = element('caption');
  const head = element('tr');
  const body = element('tbody');
  const more = element('p', { class: 'faint more' });
  const table = element('table', {}, caption, element('thead', {}, head), body);
  const root = element('div', { class: 'table' }, table, more);
  return {
    root,
    update({ caption: words, columns, rows, more: rest, isLegend }) {
      setText(caption, words);
      table.classList.toggle('legend', isLegend);
      fit(head, columns.length, () => element('th', { scope: 'col' }));
      columns.forEach(({ title, isNumber }, index) => {
        const cell = head.children[index]!;
        setName(cell, title);
        cell.classList.toggle('number', isNumber);
      });
      fit(body, rows.length, () => element('tr'));
      rows.forEach((row, index) => {
        fill(body.children[index]!, row, columns, isLegend);
      });
      setText(more, rest > 0 ? andMore(rest) : '');
    },
  };
}

/** Characters of a text from which on lines may break within its words. */
const longName = 24;

/** Each row begins with what it is of. */
function fill(line: Element, row: Row, columns: Table['columns'], isLegend: boolean): void {
  fit(line, row.length, (index) => (index === 0 ? element('th', { scope: 'row' }) : element('td')));
  row.forEach((content, index) => {
    const cell = line.children[index]!;
    if (typeof content === 'string') {
      setText(cell, content);
      if (isLegend && index === 0) cell.className = `swatch line-${placeOf(content)}`;
      else cell.className = content.length > longName ? 'long' : '';
    } else {
      const number = cell.querySelector('data') ?? element('data');
      if (!number.parentElement) cell.replaceChildren(number);
      number.value = String(content.value);
      setText(number, content.text);
    }
    if (columns[index]!.isNumber) cell.className = 'number';
  });
}

/** Has so many children and not more. */
function fit(parent: Element, count: number, make: (index: number) => Element): void {
  while (parent.children.length > count) parent.lastElementChild!.remove();
  while (parent.children.length < count) parent.append(make(parent.children.length));
}
