import { describe, expect, it, vi } from 'vitest';

import { typesetting } from './typesetting';

describe('typesetting', () => {
  const asked = (text: string) => {
    const typeset = vi.fn();
    const element = document.createElement('p');
    element.textContent = text;
    void typesetting({ typeset })?.typeset(element);
    return typeset.mock.calls.length;
  };

  it.each(['$x^2$', 'a $$x$$ b', '\\(x\\)', '\\[x\\]', '\\begin{align}x\\end{align}'])(
    'is asked for in %s',
    text => expect(asked(text)).toBe(1)
  );

  it('is not asked for where there can be no formula', () => expect(asked('South leads (31.1%).')).toBe(0));

  it('is none where Lab has none', () => expect(typesetting(null)).toBeUndefined());
});
