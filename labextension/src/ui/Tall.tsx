/**
 * Something of which nobody knows how tall it is: more than a screenful folds, until somebody wants it all.
 */
import { useEffect, useRef, useState } from 'react';
import type { ReactNode } from 'react';

import { useUi } from './context';

/** What stays of it, in CSS pixels, and how much more would not be worth a fold. */
const FOLDED_PX = 320;
const SPARE_PX = 80;

export function Tall({ children }: { children: ReactNode }): JSX.Element {
  const { trans } = useUi();
  const inside = useRef<HTMLDivElement>(null);
  const [tall, setTall] = useState(false);
  const [all, setAll] = useState(false);
  useEffect(() => {
    const node = inside.current;
    if (!node) {
      return;
    }
    // It grows after it was put there: pictures come, tables are laid out.
    const observer = new ResizeObserver(() => setTall(node.offsetHeight > FOLDED_PX + SPARE_PX));
    observer.observe(node);
    return () => observer.disconnect();
  }, []);
  const folded = tall && !all;
  return (
    <div className="ca-Tall">
      <div
        className="ca-Tall-window"
        data-folded={folded || undefined}
        style={folded ? { maxHeight: FOLDED_PX } : undefined}
        // What takes the focus is wanted in sight.
        onFocus={() => folded && setAll(true)}
      >
        <div ref={inside}>{children}</div>
      </div>
      {tall && (
        <button type="button" className="ca-Link" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? trans.__('Show less') : trans.__('Show all')}
        </button>
      )}
    </div>
  );
}
