import { fireEvent, render, screen } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';

import { trans } from '../testing/tab';
import { lazily } from '../ui/lazily';
import { Boundary } from './Boundary';

const View = ({ name }: { name: string }): JSX.Element => <p>This is {name}.</p>;

describe('a view that is loaded when it is shown', () => {
  it('is loaded again when it could not be loaded and somebody tries again', async () => {
    // React tells console and window of it too.
    const quiet = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const hush = (event: ErrorEvent) => event.preventDefault();
    window.addEventListener('error', hush);
    const load = vi.fn(async () => View);
    load.mockRejectedValueOnce(new Error('Loading chunk 7 failed'));
    render(<Boundary trans={trans} load={load} view={{ name: 'the sidebar' }} />);
    expect((await screen.findByRole('alert')).textContent).toContain('Loading chunk 7 failed');
    fireEvent.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByText('This is the sidebar.')).toBeTruthy();
    expect(load).toHaveBeenCalledTimes(2);
    quiet.mockRestore();
    window.removeEventListener('error', hush);
  });

  it('is not loaded again when only what it is given changes', async () => {
    const load = vi.fn(async () => View);
    const drawn = render(<Boundary trans={trans} load={load} view={{ name: 'one' }} />);
    await screen.findByText('This is one.');
    drawn.rerender(<Boundary trans={trans} load={load} view={{ name: 'two' }} />);
    await screen.findByText('This is two.');
    expect(load).toHaveBeenCalledTimes(1);
  });
});

describe('what is loaded when it is first needed', () => {
  it('is loaded once, and again only after a failure', async () => {
    const load = vi.fn(async () => 'there');
    load.mockRejectedValueOnce(new Error('not now'));
    const needed = lazily(load);
    await expect(needed()).rejects.toThrow('not now');
    expect(await Promise.all([needed(), needed()])).toEqual(['there', 'there']);
    expect(load).toHaveBeenCalledTimes(2);
  });
});
