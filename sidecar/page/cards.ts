import { type CardView, createCard } from './card.ts';
import { setChildren } from './element.ts';
import type { Card } from './views.ts';

/** Cards of one section; more are left out. */
export const mostCards = 40;

/** The cards of the families of a section. */
export interface Cards {
  /** Shows these families in this order. Gives how many are left out. */
  update(names: readonly string[]): number;
  redraw(): void;
  remove(): void;
}

export function createCards(
  parent: Element,
  read: (name: string, at: number | undefined) => Card | undefined,
): Cards {
  const cards = new Map<string, CardView>();
  return {
    update(names) {
      const shown = names.slice(0, mostCards);
      for (const [name, card] of cards)
        if (!shown.includes(name)) {
          card.remove();
          cards.delete(name);
        }
      for (const name of shown)
        if (!cards.has(name))
          cards.set(
            name,
            createCard(name, (at) => read(name, at)),
          );
      setChildren(
        parent,
        shown.map((name) => cards.get(name)!.root),
      );
      for (const card of cards.values()) card.update();
      return names.length - shown.length;
    },
    redraw() {
      for (const card of cards.values()) card.redraw();
    },
    remove() {
      for (const card of cards.values()) card.remove();
    },
  };
}
