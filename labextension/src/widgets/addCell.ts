/**
 * Puts a cell that calls a project into a notebook.
 */
import { NotebookActions } from '@jupyterlab/notebook';
import type { NotebookPanel } from '@jupyterlab/notebook';

import { definitionOf } from '../api/definition';
import type { Project } from '../api/types';
import { cellFor } from '../stores/cell';

/** Add a cell that calls `project` below the active one of `panel`; answers the new cell. */
export async function addCell(
  panel: NotebookPanel,
  project: Project
): Promise<NotebookPanel['content']['activeCell']> {
  await panel.context.ready;
  NotebookActions.insertBelow(panel.content);
  const added = panel.content.activeCell;
  added?.model.sharedModel.setSource(cellFor(definitionOf(project)));
  return added;
}
