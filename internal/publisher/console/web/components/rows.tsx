// A long list of which only what is visible is drawn.

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

export interface RowsOptions<T> {
  items: T[];
  label: string;
  /** The height of a row in pixels, the same for all. */
  height: number;
  selected: number;
  keyOf: (item: T) => string;
  row: (item: T, index: number) => ComponentChildren;
}

/** Rows beyond the visible ones, above and below. */
const beyond = 8;

export function Rows<T>({ items, label, height, selected, keyOf, row }: RowsOptions<T>) {
  const list = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState({ from: 0, to: 40 });
  const look = () => {
    const top = -(list.current?.getBoundingClientRect().top ?? 0);
    const from = Math.max(0, Math.floor(top / height) - beyond);
    const to = Math.ceil((top + window.innerHeight) / height) + beyond;
    setSeen((was) => (was.from === from && was.to === to ? was : { from, to }));
  };
  useLayoutEffect(() => {
    look();
    window.addEventListener("scroll", look, { passive: true });
    window.addEventListener("resize", look);
    return () => {
      window.removeEventListener("scroll", look);
      window.removeEventListener("resize", look);
    };
  }, [height]);
  useLayoutEffect(look, [items]);
  useLayoutEffect(() => {
    if (selected >= 0 && list.current) {
      reveal(list.current, selected, height);
    }
  }, [selected]);
  const [from, to] = [Math.min(seen.from, items.length), Math.min(seen.to, items.length)];
  return (
    <div class="rows" role="table" aria-label={label} aria-rowcount={items.length} ref={list} style={{ height: `${items.length * height}px` }}>
      <div role="rowgroup" class="window" style={{ transform: `translateY(${from * height}px)` }}>
        {items.slice(from, to).map((item, i) => (
          <div role="row" key={keyOf(item)} aria-rowindex={from + i + 1} class={from + i === selected ? "row selected" : "row"} style={{ height: `${height}px` }}>
            {row(item, from + i)}
          </div>
        ))}
      </div>
    </div>
  );
}

/** Scrolls so that a row is wholly visible, below what sticks to the top. */
function reveal(list: HTMLElement, index: number, height: number): void {
  const top = list.getBoundingClientRect().top + index * height;
  const [first, last] = [150, window.innerHeight - height - 16];
  if (top < first) {
    window.scrollBy(0, top - first);
  } else if (top > last) {
    window.scrollBy(0, top - last);
  }
}
