/**
 * Brings the field that a problem is about into view, and the focus into it.
 */
import type { RefObject } from 'react';
import { useEffect, useRef } from 'react';

import { useProject } from '../ui/context';

const FOCUSABLE = 'input, textarea, select, button, [contenteditable="true"]';

/** The page of a card's properties that holds the field at `path`. */
export function pageOf(path: string): string {
  const [part, ...rest] = path.split('.');
  const field = part === 'agent' ? rest[0] : rest[1];
  switch (part) {
    case 'agent':
      return field === 'tools' || field === 'permissions'
        ? 'tools'
        : ['name', 'model', 'system_prompt', 'task', 'simulate'].includes(field)
          ? 'agent'
          : 'advanced';
    case 'subagents':
      return field === 'tools' || field === 'permissions' ? 'tools' : 'agent';
    case 'hooks':
      return 'hook';
    case 'mcps':
      return 'mcp';
    case 'limits':
      return 'limits';
    case 'on_restart':
      return 'advanced';
    default:
      return 'project';
  }
}

/** The field at `path` in `root`, else the one around it. */
export function fieldOf(root: Element, path: string): HTMLElement | null {
  for (let at = path; at; at = at.slice(0, Math.max(0, at.lastIndexOf('.')))) {
    const found = [...root.querySelectorAll<HTMLElement>('[data-field]')].find(
      each => each.dataset.field === at
    );
    if (found) {
      return found;
    }
  }
  return null;
}

export function useWantedField(form: RefObject<HTMLElement>, turnTo: (page: string) => void): void {
  const wanted = useProject(state => state.wantedField);
  const done = useRef<typeof wanted>(null);
  useEffect(() => {
    if (!wanted || wanted === done.current) {
      return;
    }
    done.current = wanted;
    turnTo(pageOf(wanted.path));
    // The page is drawn in the next frame; an editor that is still loading gets its focus by its frame.
    const frame = requestAnimationFrame(() => {
      const field = form.current && fieldOf(form.current, wanted.path);
      field?.scrollIntoView?.({ block: 'center' });
      const control = field?.matches(FOCUSABLE) ? field : field?.querySelector<HTMLElement>(FOCUSABLE);
      const text = field?.querySelector<HTMLElement>('[contenteditable="true"]');
      (text ?? control)?.focus({ preventScroll: true });
    });
    return () => cancelAnimationFrame(frame);
  }, [wanted, form, turnTo]);
}
