/**
 * Hands bytes to the browser's downloads.
 */

/** The browser may still be reading when the click returns; a minute later it is not. */
const GIVE_BACK_MS = 60_000;

export function keepFile(name: string, blob: Blob): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), GIVE_BACK_MS);
}
