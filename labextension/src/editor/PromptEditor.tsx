/**
 * A prompt in CodeMirror, as Lab brings it: line numbers, variables coloured and completed. Loaded with the
 * first prompt that is shown.
 *
 * Undo is the project's (`onUndo`), not the editor's own: one history for all that a person changes.
 */
import type { CompletionContext, CompletionResult } from '@codemirror/autocomplete';
import { autocompletion, completionKeymap, startCompletion } from '@codemirror/autocomplete';
import { Compartment, EditorState } from '@codemirror/state';
import type { DecorationSet, ViewUpdate } from '@codemirror/view';
import { Decoration, EditorView, keymap, lineNumbers, tooltips, ViewPlugin } from '@codemirror/view';
import { useEffect, useRef } from 'react';

import type { PlaceKind } from '../graph/prompts';
import { placesIn } from '../graph/prompts';

export interface Variable {
  name: string;
  /** What stands beside the name in the list. */
  detail: string;
}

export interface PromptEditorProps {
  value: string;
  label: string;
  variables: readonly Variable[];
  /** Names that the project declares. */
  declared: readonly string[];
  readOnly: boolean;
  describedBy?: string;
  invalid?: boolean;
  onChange: (value: string) => void;
  onUndo: () => void;
  onRedo: () => void;
}

const MARKS: Record<PlaceKind, Decoration> = {
  known: Decoration.mark({ class: 'ca-Place', attributes: { 'data-kind': 'known' } }),
  'built-in': Decoration.mark({ class: 'ca-Place', attributes: { 'data-kind': 'built-in' } }),
  unknown: Decoration.mark({ class: 'ca-Place', attributes: { 'data-kind': 'unknown' } }),
  secret: Decoration.mark({ class: 'ca-Place', attributes: { 'data-kind': 'secret' } })
};

/** Colours placeholders; the whole text is looked at, since one may be longer than a screen's edge. */
function places(declared: readonly string[]) {
  const known = new Set(declared);
  const marked = (view: EditorView): DecorationSet =>
    Decoration.set(
      placesIn(view.state.doc.toString(), known).map(({ from, to, kind }) => MARKS[kind].range(from, to))
    );
  return ViewPlugin.define(
    view => ({
      decorations: marked(view),
      update(update: ViewUpdate) {
        if (update.docChanged) {
          this.decorations = marked(update.view);
        }
      }
    }),
    { decorations: plugin => plugin.decorations }
  );
}

/** Names after `{{`; what is chosen closes the braces. */
function completed(variables: readonly Variable[]) {
  return (context: CompletionContext): CompletionResult | null => {
    const before = context.matchBefore(/\{\{\s*[A-Za-z0-9_]*/);
    if (!before) {
      return null;
    }
    const after = context.state.sliceDoc(context.pos, context.pos + 2);
    return {
      from: before.from,
      options: variables.map(({ name, detail }) => ({
        label: `{{${name}}}`,
        displayLabel: name,
        detail,
        type: 'variable',
        apply: after === '}}' ? `{{${name}` : `{{${name}}}`
      })),
      filter: true
    };
  };
}

export default function PromptEditor(props: PromptEditorProps): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const changing = useRef({
    names: new Compartment(),
    attributes: new Compartment(),
    lock: new Compartment()
  });
  const { names, attributes, lock } = changing.current;

  const naming = () => [
    places(latest.current.declared),
    autocompletion({ override: [completed(latest.current.variables)], icons: false })
  ];
  const describing = () =>
    EditorView.contentAttributes.of({
      'aria-label': latest.current.label,
      'aria-multiline': 'true',
      // It can be reached anyway, but what checks access does not see that.
      tabindex: '0',
      'data-lm-suppress-shortcuts': 'true',
      spellcheck: 'true',
      ...(latest.current.describedBy ? { 'aria-describedby': latest.current.describedBy } : {}),
      ...(latest.current.invalid ? { 'aria-invalid': 'true' } : {})
    });
  const locking = () => [
    EditorState.readOnly.of(latest.current.readOnly),
    EditorView.editable.of(!latest.current.readOnly)
  ];

  useEffect(() => {
    const made = new EditorView({
      parent: host.current!,
      state: EditorState.create({
        doc: latest.current.value,
        extensions: [
          lineNumbers(),
          // Outside of the form, which scrolls and would cut the list off.
          tooltips({ parent: host.current!.closest<HTMLElement>('.ca-Panel') ?? document.body }),
          EditorView.lineWrapping,
          names.of(naming()),
          attributes.of(describing()),
          lock.of(locking()),
          keymap.of([{ key: 'Mod-Space', run: startCompletion }, ...completionKeymap]),
          EditorView.domEventHandlers({
            keydown: event => {
              const key = event.ctrlKey || event.metaKey ? event.key.toLowerCase() : '';
              if (key === 'y' || (key === 'z' && event.shiftKey)) {
                latest.current.onRedo();
              } else if (key === 'z') {
                latest.current.onUndo();
              } else {
                return false;
              }
              event.preventDefault();
              return true;
            }
          }),
          EditorView.updateListener.of(update => {
            const text = update.state.doc.toString();
            if (update.docChanged && text !== latest.current.value) {
              latest.current.onChange(text);
            }
          })
        ]
      })
    });
    view.current = made;
    return () => made.destroy();
    // Made once; what changes later goes through the compartments below.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  // Undo, reload and another card's text come from outside.
  useEffect(() => {
    const editor = view.current;
    const now = editor?.state.doc.toString();
    if (editor && now !== props.value) {
      const at = Math.min(editor.state.selection.main.head, props.value.length);
      editor.dispatch({
        changes: { from: 0, to: now!.length, insert: props.value },
        selection: { anchor: at }
      });
    }
  }, [props.value]);

  const known = [...props.declared, '', ...props.variables.map(each => `${each.name} ${each.detail}`)].join(
    '\n'
  );
  useEffect(() => {
    view.current?.dispatch({ effects: names.reconfigure(naming()) });
    // `known` is all that they are made of.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [known]);
  useEffect(() => {
    view.current?.dispatch({
      effects: [attributes.reconfigure(describing()), lock.reconfigure(locking())]
    });
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [props.label, props.describedBy, props.invalid, props.readOnly]);

  return <div ref={host} className="ca-Prompt" />;
}
