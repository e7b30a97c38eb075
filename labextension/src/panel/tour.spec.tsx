import { act, fireEvent, screen, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';

import { AGENT, START } from '../testing/events';
import { openTab } from '../testing/tab';
import { placeFor, Tour } from './Tour';

function show(tourSeen: boolean) {
  const tab = openTab({ preferences: { tourSeen } });
  tab.show(
    <div className="ca-Panel">
      <button className="ca-Run">Run</button>
      <Tour />
    </div>
  );
  return tab;
}

describe('the tour', () => {
  it('leads a newcomer through four steps, and is not shown again', async () => {
    const tab = show(false);
    expect(await screen.findByText('1 of 4')).toBeTruthy();
    fireEvent.click(screen.getByText('Next'));
    fireEvent.click(screen.getByText('Next'));
    expect(screen.getByText('3 of 4')).toBeTruthy();
    expect(document.querySelector('.ca-Tour-ring')).toBeTruthy();
    fireEvent.click(screen.getByText('Back'));
    fireEvent.click(screen.getByText('Next'));
    fireEvent.click(screen.getByText('Next'));
    fireEvent.click(screen.getByText('Done'));
    expect(screen.queryByLabelText('First steps')).toBeNull();
    expect(tab.preferences.getState().tourSeen).toBe(true);
  });

  it('is skipped by a click, or by Escape, for good', async () => {
    const tab = show(false);
    fireEvent.keyDown(await screen.findByText('Next'), { key: 'Escape' });
    expect(screen.queryByLabelText('First steps')).toBeNull();
    expect(tab.preferences.getState().tourSeen).toBe(true);
  });

  it('comes only when it is asked for, once it was seen', async () => {
    const tab = show(true);
    await tab.preferences.ready;
    expect(screen.queryByLabelText('First steps')).toBeNull();
    tab.actions.showTour(0);
    expect(await screen.findByText('1 of 4')).toBeTruthy();
  });

  it('stands over no card that is at work, but says where to watch', async () => {
    const tab = openTab({ log: [START, AGENT], preferences: { tourSeen: false } });
    tab.show(
      <div className="ca-Panel">
        <Tour />
      </div>
    );
    await tab.preferences.ready;
    await waitFor(() => expect(tab.state().tour).toBe(0));
    expect(screen.queryByLabelText('First steps')).toBeNull();
    act(() => tab.actions.showTour(3));
    expect(screen.getByText('4 of 4')).toBeTruthy();
  });

  it('never covers what it points at, and stays inside the tab', () => {
    const room = { width: 1000, height: 700 };
    const targets = [
      { left: 10, top: 50, width: 120, height: 150 },
      { left: 690, top: 40, width: 300, height: 640 },
      { left: 8, top: 6, width: 70, height: 28 },
      { left: 0, top: 660, width: 1000, height: 40 }
    ];
    for (const target of targets) {
      const { left, top } = placeFor(target, room, 140).bubble as { left: number; top: number };
      expect(left).toBeGreaterThanOrEqual(0);
      expect(top).toBeGreaterThanOrEqual(0);
      expect(left + 300).toBeLessThanOrEqual(room.width);
      expect(top + 140).toBeLessThanOrEqual(room.height);
      const apart =
        left >= target.left + target.width ||
        left + 300 <= target.left ||
        top >= target.top + target.height ||
        top + 140 <= target.top;
      expect(apart).toBe(true);
    }
  });
});
