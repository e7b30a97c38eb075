/**
 * Whether the project may start its programs, and exactly which those are.
 */
import { useActions, useProject, useUi } from '../../ui/context';
import { Icon } from '../../ui/Icon';
import { useLoaded } from '../../ui/useLoaded';
import { Programs } from '../Trust';

import { Trouble } from './parts';

export function TrustSection(): JSX.Element {
  const { trans, client } = useUi();
  const actions = useActions();
  const project = useProject(state => state.projectId);
  const trusted = useProject(state => state.saved?.trusted ?? true);
  const tag = useProject(state => state.etag);
  const { data: agreement, trouble } = useLoaded(
    () => client.agreement(project),
    `${project} ${tag} ${trusted}`
  );
  return (
    <section className="ca-Section" aria-label={trans.__('Trust')}>
      <p className="ca-TrustState" data-trusted={trusted || undefined}>
        <Icon name={trusted ? 'check' : 'warning'} />
        <strong>{trusted ? trans.__('Trusted') : trans.__('Not trusted yet')}</strong>
      </p>
      <p className="ca-Field-help">
        {trusted
          ? trans.__(
              'What you save here is trusted. What changes otherwise (an import, a restore, the disk) has to be agreed to before it starts.'
            )
          : trans.__(
              'Its hooks and MCP servers came from elsewhere. Nothing of them is started until you agree to exactly what is listed.'
            )}
      </p>
      <Trouble text={trouble} />
      {agreement?.hash === null && (
        <p className="ca-Field-help">{trans.__('It starts no programs: no hook, no MCP server is on.')}</p>
      )}
      {agreement && agreement.hash !== null && (
        <>
          <h3 className="ca-Heading">{trans.__('What it starts')}</h3>
          <Programs agreement={agreement} />
          {!trusted && (
            <button
              type="button"
              className="ca-Primary ca-Section-add"
              onClick={() => void actions.trust(agreement)}
            >
              {trans.__('Trust exactly this')}
            </button>
          )}
        </>
      )}
    </section>
  );
}
