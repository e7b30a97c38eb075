/**
 * Tokens of the shown execution by what they cost: fresh, written to the cache, cached, output.
 */
import type { Usage } from '../api/types';
import { useProject, useUi } from '../ui/context';
import { tokens } from '../ui/format';
import type { Translation } from '../ui/labels';

interface Kind {
  id: string;
  label: string;
  help: string;
  count: string;
}

function kindsOf(trans: Translation, usage: Usage): Kind[] {
  const kind = (id: string, label: string, help: string, count: number) => ({
    id,
    label,
    help,
    count: tokens(count)
  });
  const { input_tokens: fresh, cache_creation_input_tokens: written } = usage;
  const { cache_read_input_tokens: cached, output_tokens: output } = usage;
  return [
    kind('fresh', trans.__('fresh'), trans.__('Input that was read anew'), fresh),
    kind('written', trans.__('written'), trans.__('Input that was written to the cache'), written),
    kind(
      'cached',
      trans.__('cached'),
      trans.__('Input that was read from the cache: it does not count towards the limit'),
      cached
    ),
    kind('output', trans.__('output'), trans.__('What the models have said'), output)
  ];
}

/** All of them in one line. */
export function kindsLine(trans: Translation, usage: Usage): string {
  return kindsOf(trans, usage)
    .map(({ label, count }) => `${count} ${label}`)
    .join(' · ');
}

export function TokenKinds(): JSX.Element | null {
  const { trans } = useUi();
  const usage = useProject(state => state.monitor?.usage ?? null);
  return (
    usage && (
      <dl className="ca-TokenKinds" aria-label={trans.__('Tokens by kind')}>
        {kindsOf(trans, usage).map(({ id, label, help, count }) => (
          <div key={id} title={help}>
            <dt>{label}</dt>
            <dd>{trans.__('%1 tok', count)}</dd>
          </div>
        ))}
      </dl>
    )
  );
}
