/**
 * Four first steps, each pointing at the part of the tab that it is about. Nothing is locked meanwhile; it can
 * be skipped, and is shown once. Who presses Run meanwhile sees the cards at work, not what stands over them.
 */
import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import type { CSSProperties } from 'react';

import { isActive } from '../stores/select';
import { useActions, usePreference, useProject, useUi } from '../ui/context';
import type { Translation } from '../ui/labels';

interface Step {
  /** What it points at; the first that is there. */
  targets: readonly string[];
  title: string;
  text: string;
}

function stepsOf(trans: Translation): Step[] {
  return [
    {
      targets: ['.ca-Palette', '.ca-Palette-folded', '.ca-Outline-tools', '.ca-Canvas'],
      title: trans.__('Draw'),
      text: trans.__(
        'Add a subagent, a hook or an MCP server: a click, a drag, or Enter. What you add is connected to the card that is chosen.'
      )
    },
    {
      targets: ['.ca-Properties', '.react-flow__node[data-id="agent"]'],
      title: trans.__('Say what it shall do'),
      text: trans.__(
        'Choose a card to write its prompt, its task and its tools. With nothing chosen you see the project: variables, limits, secrets, keys.'
      )
    },
    {
      targets: ['.ca-Run'],
      title: trans.__('Run'),
      text: trans.__(
        'Beside it stands what a run may cost at most. Without a model key a simulated model plays, and tools really run.'
      )
    },
    {
      targets: ['.ca-Drawer'],
      title: trans.__('Watch'),
      text: trans.__(
        'Every step, tool call and cent appears here; what needs your word waits for it. Files that the run made are here, too.'
      )
    }
  ];
}

/** The step about the monitor; those before it step aside while something runs. */
const WATCH = 3;
/** Room between the bubble and what it points at, in CSS pixels. */
const GAP = 12;
const WIDTH = 300;

interface Place {
  ring: CSSProperties;
  bubble: CSSProperties;
}

/** Where the bubble stands: below what it points at, above it, or beside it, wherever there is room. */
export function placeFor(
  target: { left: number; top: number; width: number; height: number },
  room: { width: number; height: number },
  height: number
): Place {
  const clamp = (value: number, most: number) => Math.max(GAP, Math.min(value, most));
  const ring = { left: target.left, top: target.top, width: target.width, height: target.height };
  const [right, bottom] = [target.left + target.width, target.top + target.height];
  const left = clamp(target.left, room.width - WIDTH - GAP);
  const top = clamp(target.top, room.height - height - GAP);
  const bubble =
    bottom + GAP + height <= room.height
      ? { left, top: bottom + GAP }
      : target.top - GAP - height >= 0
        ? { left, top: target.top - GAP - height }
        : target.left - GAP - WIDTH >= 0
          ? { left: target.left - GAP - WIDTH, top }
          : { left: clamp(right + GAP, room.width - WIDTH - GAP), top };
  return { ring, bubble };
}

export function Tour(): JSX.Element | null {
  const { trans, preferences } = useUi();
  const actions = useActions();
  const seen = usePreference('tourSeen');
  const active = useProject(isActive);
  const at = useProject(state => (active && (state.tour ?? 0) < WATCH ? null : state.tour));
  const size = useProject(
    state => `${state.width} ${state.height} ${state.propertiesOpen} ${state.drawer.open}`
  );
  const bubble = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState<Place | null>(null);
  const steps = stepsOf(trans);
  const step = at === null ? undefined : steps[at];

  useEffect(() => {
    let gone = false;
    void preferences.ready.then(() => {
      if (!gone && !preferences.getState().tourSeen) {
        actions.showTour(0);
      }
    });
    return () => {
      gone = true;
    };
  }, [actions, preferences]);

  useLayoutEffect(() => {
    const box = bubble.current;
    const panel = box?.closest('.ca-Panel');
    if (!box || !panel || !step) {
      setPlace(null);
      return;
    }
    let watched: Element | null = null;
    const stand = () => {
      const target = step.targets.map(each => panel.querySelector(each)).find(each => each !== null);
      if (!target) {
        setPlace(null);
        return;
      }
      if (target !== watched) {
        resized.disconnect();
        resized.observe(target);
        watched = target;
      }
      const [outer, inner] = [panel.getBoundingClientRect(), target.getBoundingClientRect()];
      setPlace(
        placeFor(
          {
            left: inner.left - outer.left,
            top: inner.top - outer.top,
            width: inner.width,
            height: inner.height
          },
          outer,
          box.offsetHeight
        )
      );
    };
    // What it points at may find its size, or give way to something else, a moment after the tab has changed:
    // the palette has names only where the canvas has room for them.
    const resized = new ResizeObserver(stand);
    stand();
    return () => resized.disconnect();
    // What is measured depends on the step and on how the tab is laid out.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [at, size]);

  if (at === null || !step) {
    return null;
  }
  const done = () => {
    actions.showTour(null);
    if (!seen) {
      preferences.choose('tourSeen', true);
    }
  };
  const last = at === steps.length - 1;
  return (
    <>
      {place && <div className="ca-Tour-ring" style={place.ring} aria-hidden="true" />}
      {/* Escape anywhere in it skips it. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions */}
      <div
        ref={bubble}
        className="ca-Tour"
        role="region"
        aria-label={trans.__('First steps')}
        style={place?.bubble ?? { right: GAP, bottom: GAP }}
        onKeyDown={event => {
          if (event.key === 'Escape') {
            event.stopPropagation();
            done();
          }
        }}
      >
        <div aria-live="polite">
          <strong>{step.title}</strong>
          <p>{step.text}</p>
        </div>
        <div className="ca-Tour-foot">
          <span>{trans.__('%1 of %2', at + 1, steps.length)}</span>
          {!last && (
            <button type="button" className="ca-Link" onClick={done}>
              {trans.__('Skip')}
            </button>
          )}
          {at > 0 && (
            <button type="button" className="ca-Secondary" onClick={() => actions.showTour(at - 1)}>
              {trans.__('Back')}
            </button>
          )}
          <button
            type="button"
            className="ca-Primary"
            onClick={() => (last ? done() : actions.showTour(at + 1))}
          >
            {last ? trans.__('Done') : trans.__('Next')}
          </button>
        </div>
      </div>
    </>
  );
}
