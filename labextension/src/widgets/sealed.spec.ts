import { describe, expect, it } from 'vitest';

import { sealed } from './sealed';

describe('sealed output', () => {
  it('leaves text, tables, inline pictures and links as they are', () => {
    const html = '<p>One <b>two</b> <a href="https://example.org">three</a></p>';
    expect(sealed(html)).toBe(html);
    const picture = '<img src="data:image/png;base64,AA==">';
    expect(sealed(picture)).toBe(picture);
    expect(sealed('<span style="color: red">x</span>')).toContain('color: red');
  });

  it('makes a relative picture a file of the execution', () => {
    expect(sealed('<img src="charts/a b.png">')).toBe('<img src="data:,charts/a b.png">');
  });

  it('makes a picture of elsewhere a link, however its address is spelled', () => {
    for (const address of [
      'http://evil.example/x.png',
      '//evil.example/x.png',
      ' \nhttp://evil.example/x.png'
    ]) {
      const html = sealed(`<img alt="chart" src="${address}">`);
      expect(html).not.toContain('<img');
      expect(html).toContain('>chart</a>');
    }
    expect(sealed('<img src="\\\\evil.example\\x.png">')).not.toContain('<img');
    expect(sealed('<img src="file:///etc/passwd">')).not.toContain('href');
  });

  it('takes every other address away that a browser would ask for', () => {
    for (const html of [
      '<video src="http://evil.example/1" poster="http://evil.example/2"></video>',
      '<table background="http://evil.example/3"><tbody><tr><td>x</td></tr></tbody></table>',
      '<div style="background-image: url(http://evil.example/4)">x</div>',
      '<ul style="list-style-image: url(http://evil.example/5)"><li>x</li></ul>',
      '<a href="#" ping="http://evil.example/6">x</a>',
      '<input type="image" src="http://evil.example/7">',
      '<iframe src="http://evil.example/8"></iframe>',
      '<svg><image href="http://evil.example/9"></image></svg>',
      '<img srcset="http://evil.example/10 2x">',
      '<form action="http://evil.example/11"><button formaction="http://evil.example/12">x</button></form>'
    ]) {
      expect(sealed(html), html).not.toContain('evil.example');
    }
  });

  it('lets nothing be laid over the page', () => {
    const html = sealed('<div style="position: fixed; z-index: 9; top: 0; color: red">x</div>');
    expect(html).not.toMatch(/fixed|z-index/);
    expect(html).toContain('color: red');
  });
});
