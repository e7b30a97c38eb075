/**
 * Lab's sanitizer, and after it a seal: what a model or a tool wrote asks nothing of other servers.
 *
 * Lab lets pictures and media of any address through, since a notebook is its reader's own. An execution's
 * output is not: a picture's address can carry away what the model has read. What is left are the
 * execution's own files and data that is in the text itself; a picture of elsewhere becomes a link to it.
 */
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';

/** Marks a picture that is a file of the execution; a browser that meets it loads nothing. */
export const FILE = 'data:,';

/** Text without any of these has nothing to seal. */
const SUSPECT =
  /<(?:link|style|meta|base|iframe|object|embed)\b|\b(?:src|srcset|poster|background|style|data|ping|action|formaction|href)\s*=/i;
const GONE = 'link, style, meta, base, iframe, frame, object, embed, script, portal';
/** Attributes whose address a browser asks for by itself. */
const LOADING = [
  'src',
  'srcset',
  'poster',
  'background',
  'data',
  'lowsrc',
  'dynsrc',
  'ping',
  'action',
  'formaction'
];
const INLINE = /^data:(?:image\/(?:png|jpe?g|gif|webp|bmp|svg\+xml)|audio\/|video\/)/i;
const ABSOLUTE = /^(?:[a-z][a-z0-9+.-]*:|[/\\]{2}|#)/i;
/** Characters that browsers leave out of addresses. */
const IGNORED = /[\u0000-\u0020]+/g;
const ADDRESS = /url\s*\(|image-set\s*\(|image\s*\(|src\s*\(/i;

function sealStyle(style: CSSStyleDeclaration): void {
  for (const name of Array.from({ length: style.length }, (_, index) => style.item(index))) {
    const value = style.getPropertyValue(name);
    const over = name === 'position' && !/^(?:static|relative)$/i.test(value.trim());
    if (over || name === 'z-index' || ADDRESS.test(value) || value.includes('\\')) {
      style.removeProperty(name);
    }
  }
}

/** A picture of elsewhere as a link: whoever wants it, follows it. */
function asLink(image: Element, address: string): void {
  const link = image.ownerDocument.createElement('a');
  link.textContent = image.getAttribute('alt') || address;
  if (/^(?:https?:)?\/\//i.test(address)) {
    link.href = address;
  }
  image.replaceWith(link);
}

function sealElement(element: Element): void {
  const isImage = element.tagName === 'IMG';
  for (const name of LOADING) {
    const value = element.getAttribute(name);
    if (value === null) {
      continue;
    }
    const address = value.replace(IGNORED, '');
    if (INLINE.test(address)) {
      continue;
    }
    element.removeAttribute(name);
    if (isImage && name === 'src') {
      if (ABSOLUTE.test(address)) {
        asLink(element, address);
        return;
      }
      element.setAttribute('src', FILE + value.trim());
    }
  }
  if (element.tagName !== 'A' && element.tagName !== 'AREA') {
    element.removeAttribute('href');
    element.removeAttribute('xlink:href');
  }
  if (element.hasAttribute('style')) {
    sealStyle((element as HTMLElement).style);
  }
  element.removeAttribute('autofocus');
}

/** `html`, already sanitised, without anything that asks for an address by itself. */
export function sealed(html: string): string {
  if (!SUSPECT.test(html)) {
    return html;
  }
  // A document without a window: nothing in it is loaded, and nothing runs.
  const { body } = new DOMParser().parseFromString(html, 'text/html');
  body.querySelectorAll(GONE).forEach(element => element.remove());
  body.querySelectorAll('*').forEach(sealElement);
  return body.innerHTML;
}

/** `sanitizer`, and the seal after it. */
export function sealing(sanitizer: IRenderMime.ISanitizer): IRenderMime.ISanitizer {
  return {
    sanitize: (dirty, options) => sealed(sanitizer.sanitize(dirty, options)),
    getAutolink: () => sanitizer.getAutolink?.() ?? true,
    allowNamedProperties: sanitizer.allowNamedProperties
  };
}
