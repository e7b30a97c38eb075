/**
 * Lab's menus, dialogs and icons for views that import nothing of Lab.
 */
import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { MenuSvg } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import type { Menu } from '@lumino/widgets';

import { GLYPHS } from '../ui/glyphs';
import type { GlyphName } from '../ui/glyphs';
import { keepFile } from '../ui/keep';
import type { MenuEntry, Place, Question, ShellPort } from '../ui/port';

import { labIcon } from './icons';

const iconOf = (name: GlyphName) => labIcon(name, GLYPHS[name]);

/** A menu of `entries`, whose commands live as long as it does. */
function menuOf(commands: CommandRegistry, entries: readonly MenuEntry[], label: string): Menu {
  const menu = new MenuSvg({ commands });
  menu.title.label = label;
  for (const entry of entries) {
    if (entry.parted) {
      menu.addItem({ type: 'separator' });
    }
    if (entry.entries) {
      const submenu = menuOf(commands, entry.entries, entry.label);
      submenu.title.icon = entry.icon && iconOf(entry.icon);
      menu.addItem({ type: 'submenu', submenu });
      continue;
    }
    const command = `entry-${commands.listCommands().length}`;
    commands.addCommand(command, {
      label: entry.label,
      caption: entry.caption,
      icon: entry.icon && iconOf(entry.icon),
      describedBy: { args: { type: 'object', properties: {} } },
      isEnabled: () => !entry.disabled,
      execute: () => entry.run?.()
    });
    menu.addItem({ command });
  }
  return menu;
}

export function shellPort(trans: TranslationBundle): ShellPort {
  return {
    openMenu(entries: readonly MenuEntry[], at: Place): void {
      const menu = menuOf(new CommandRegistry(), entries, '');
      const opener = document.activeElement;
      menu.aboutToClose.connect(() => {
        // Focus goes back to where it was opened; the chosen command runs then, and may take it elsewhere.
        const at = document.activeElement;
        const ours = at === document.body || at?.closest('.lm-Menu');
        if (opener instanceof HTMLElement && ours) {
          opener.focus();
        }
        setTimeout(() => menu.dispose());
      }, menu);
      menu.open(at.x, at.y);
    },
    async confirm(question: Question): Promise<boolean> {
      const yes = { label: question.accept };
      const answer = await showDialog({
        title: question.title,
        body: question.body,
        buttons: [
          Dialog.cancelButton({ label: trans.__('Cancel') }),
          question.danger ? Dialog.warnButton(yes) : Dialog.okButton(yes)
        ]
      });
      return answer.button.accept;
    },
    keep: keepFile,
    // Lab asks first where something is not saved.
    reload: () => window.location.reload()
  };
}
