/**
 * Money as people read it: pure. Needed from JupyterLab's start, so apart from all other numbers (`format.ts`).
 */

/** US dollars: enough digits to tell small runs apart, `–` where the price is unknown. */
export function money(usd: number | null | undefined): string {
  if (usd === null || usd === undefined) {
    return '$ –';
  }
  if (usd === 0) {
    return '$0.00';
  }
  if (usd < 0.001) {
    return '< $0.001';
  }
  return usd < 0.1 ? `$${usd.toFixed(3)}` : `$${usd.toFixed(2)}`;
}
