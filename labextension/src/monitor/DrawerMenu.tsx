/**
 * What can be done with the execution that is shown: again, otherwise, beside another one, kept, gone.
 */
import { hasEnded } from '../api/types';
import { useActions, useProject, useUi } from '../ui/context';
import { Icon } from '../ui/Icon';
import type { MenuEntry } from '../ui/port';

export function DrawerMenu(): JSX.Element | null {
  const { trans, shell } = useUi();
  const actions = useActions();
  const { runs } = actions;
  const id = useProject(state => state.executionId);
  const status = useProject(state => state.monitor?.status ?? null);
  const executions = useProject(state => state.executions);
  const starting = useProject(state => state.starting);
  if (!id || !status) {
    return null;
  }
  const ended = hasEnded(status);
  const at = executions.findIndex(each => each.execution_id === id);
  const pinned = executions[at]?.pinned ?? false;
  const before = at < 0 ? undefined : executions[at + 1];
  const notYet = trans.__('Only when it has ended');
  const remove = async () => {
    const yes = await shell.confirm({
      title: trans.__('Delete this execution?'),
      body: trans.__('Its log and its files are gone for good. What it cost stays counted.'),
      accept: trans.__('Delete'),
      danger: true
    });
    if (yes) {
      await runs.remove(id);
    }
  };
  const items: MenuEntry[] = [
    {
      icon: 'again',
      label: trans.__('Run again'),
      caption: trans.__('The same version with the same prompt, values and files'),
      disabled: starting,
      run: () => void runs.again()
    },
    { icon: 'edit', label: trans.__('Edit and run…'), run: () => void runs.editAndRun() },
    ...(status === 'failed' || status === 'interrupted' || status === 'cancelled'
      ? [
          {
            icon: 'run' as const,
            label: trans.__('Resume'),
            caption: trans.__('Go on from where it stands; nothing that was done is done again'),
            run: () => void actions.resume()
          }
        ]
      : []),
    {
      icon: 'fork',
      label: trans.__('Fork from the chosen turn…'),
      caption: trans.__('A new execution that shares the history before that turn'),
      run: () => runs.askFork()
    },
    {
      icon: 'compare',
      label: trans.__('Compare with the one before'),
      caption: before ? undefined : trans.__('There is no earlier execution'),
      disabled: !before,
      run: () => void (before && runs.compare(before.execution_id))
    },
    {
      icon: 'notebook',
      label: trans.__('Open as a notebook'),
      parted: true,
      run: () => void runs.openNotebook()
    },
    {
      icon: 'download',
      label: trans.__('Download the log (JSONL)'),
      run: () => void runs.log().then(blob => blob && shell.keep(`${id}.jsonl`, blob))
    },
    {
      icon: 'tape',
      label: trans.__('Save as a cassette: replies'),
      caption: ended ? trans.__('A replay plays the model; tools run again') : notYet,
      disabled: !ended,
      run: () =>
        void runs.keepCassette(false, trans.__('The cassette is kept. Choose it in "Run with…" to play it.'))
    },
    {
      icon: 'tape',
      label: trans.__('Save as a cassette: replies and tools'),
      caption: ended ? trans.__('A replay plays model and tools; nothing runs') : notYet,
      disabled: !ended,
      run: () =>
        void runs.keepCassette(true, trans.__('The cassette is kept. Choose it in "Run with…" to play it.'))
    },
    {
      icon: 'pin',
      label: pinned ? trans.__('Unpin') : trans.__('Pin'),
      caption: pinned
        ? trans.__('Let it go when its time is over, like the others')
        : trans.__('Keep it for good; others are deleted some days after their end'),
      run: () =>
        void runs.pin(
          id,
          !pinned,
          pinned ? trans.__('It is pinned no longer.') : trans.__('It is pinned: it is kept for good.')
        )
    },
    {
      icon: 'trash',
      label: trans.__('Delete…'),
      caption: ended ? undefined : notYet,
      disabled: !ended,
      parted: true,
      run: () => void remove()
    }
  ];
  return (
    <button
      type="button"
      className="ca-Button"
      aria-haspopup="menu"
      aria-label={trans.__('More for this execution')}
      title={trans.__('More for this execution')}
      onClick={event => {
        const at = event.currentTarget.getBoundingClientRect();
        shell.openMenu(items, { x: at.left, y: at.bottom });
      }}
    >
      <Icon name="more" />
    </button>
  );
}
