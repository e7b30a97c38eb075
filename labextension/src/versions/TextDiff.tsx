/**
 * Two texts side by side, or one above the other where that is too narrow: CodeMirror in Lab's own colours.
 *
 * The entry of a chunk of its own, loaded when a text is first compared.
 */
import { MergeView, unifiedMergeView } from '@codemirror/merge';
import { EditorState } from '@codemirror/state';
import type { Extension } from '@codemirror/state';
import { EditorView, lineNumbers } from '@codemirror/view';
import { useEffect, useRef, useState } from 'react';

import { useUi } from '../ui/context';
import type { Translation } from '../ui/labels';

/** Below this width of the view, in CSS pixels, the texts stand one above the other. */
const NARROW = 560;
/** Unchanged lines around a change; longer stretches fold. */
const CONTEXT = { margin: 3, minSize: 8 };

const THEME = EditorView.theme({
  '&': {
    backgroundColor: 'var(--jp-layout-color1)',
    color: 'var(--jp-content-font-color1)',
    fontSize: '12px'
  },
  '.cm-scroller': { fontFamily: 'var(--jp-code-font-family)', lineHeight: '18px' },
  '.cm-gutters': {
    backgroundColor: 'var(--jp-layout-color2)',
    color: 'var(--jp-ui-font-color1)',
    borderRight: '1px solid var(--ca-edge)'
  },
  '.cm-selectionBackground, .cm-content ::selection': {
    backgroundColor: 'var(--jp-editor-selected-background)'
  },
  '&.cm-focused': { outline: '2px solid var(--ca-accent)', outlineOffset: '-2px' },
  '.cm-collapsedLines': {
    background: 'color-mix(in srgb, var(--ca-muted) 10%, var(--jp-layout-color1))',
    color: 'var(--ca-muted)'
  },
  '&.cm-merge-a .cm-changedLine, .cm-deletedChunk': {
    backgroundColor: 'color-mix(in srgb, var(--ca-bad) 10%, transparent)'
  },
  '&.cm-merge-a .cm-changedText, .cm-deletedChunk .cm-deletedText': {
    background: 'color-mix(in srgb, var(--ca-bad) 26%, transparent)'
  },
  '&.cm-merge-b .cm-changedLine': {
    backgroundColor: 'color-mix(in srgb, var(--ca-good) 10%, transparent)'
  },
  '&.cm-merge-b .cm-changedText': {
    background: 'color-mix(in srgb, var(--ca-good) 26%, transparent)'
  }
});

function extensions(trans: Translation, label: string): Extension[] {
  return [
    EditorState.phrases.of({ '$ unchanged lines': trans.__('$ unchanged lines') }),
    THEME,
    lineNumbers(),
    EditorView.lineWrapping,
    EditorState.readOnly.of(true),
    EditorView.editable.of(false),
    EditorView.contentAttributes.of({
      'aria-label': label,
      tabindex: '0',
      role: 'textbox',
      'aria-multiline': 'true',
      'aria-readonly': 'true'
    })
  ];
}

export interface TextDiffProps {
  before: string;
  after: string;
  beforeLabel: string;
  afterLabel: string;
}

export function TextDiff({ before, after, beforeLabel, afterLabel }: TextDiffProps): JSX.Element {
  const { trans } = useUi();
  const box = useRef<HTMLDivElement>(null);
  const [whole, setWhole] = useState(false);
  const [folded, setFolded] = useState(false);
  useEffect(() => {
    const parent = box.current;
    if (!parent) {
      return;
    }
    const common = { collapseUnchanged: whole ? undefined : CONTEXT, gutter: true };
    const narrow = () =>
      new EditorView({
        parent,
        doc: after,
        extensions: [
          ...extensions(trans, afterLabel),
          unifiedMergeView({ ...common, original: before, mergeControls: false })
        ]
      });
    const wide = () =>
      new MergeView({
        ...common,
        parent,
        a: { doc: before, extensions: extensions(trans, beforeLabel) },
        b: { doc: after, extensions: extensions(trans, afterLabel) }
      });
    const view = parent.clientWidth < NARROW ? narrow() : wide();
    setFolded(whole || parent.querySelector('.cm-collapsedLines') !== null);
    return () => view.destroy();
  }, [trans, before, after, beforeLabel, afterLabel, whole]);
  return (
    <>
      <div className="ca-TextDiff" ref={box} />
      {/* The editor's own folds open by mouse only. */}
      {folded && (
        <button type="button" className="ca-Link" aria-expanded={whole} onClick={() => setWhole(!whole)}>
          {whole ? trans.__('Show only what changed') : trans.__('Show the unchanged lines, too')}
        </button>
      )}
    </>
  );
}
