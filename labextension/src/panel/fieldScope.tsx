/**
 * What every field of a form has besides its value: its place in the definition, its help line (the form's own,
 * else the server's), and what the check found about it.
 *
 * A form says once which part of the definition it is about; its fields then only bear their names.
 */
import { createContext, useContext, useId } from 'react';
import type { ReactNode } from 'react';

import type { Path } from '../graph/changes';
import { fieldAt } from '../stores/fieldDocs';
import { problemsAt } from '../stores/problems';
import { useActions, useProject } from '../ui/context';
import type { Problem } from '../api/types';

export interface FieldProps {
  label: string;
  help?: string;
  /** Its name below the form's part of the definition, dotted where it lies deeper. */
  name?: string;
}

/** What a control and the frame around it need to know of each other. */
export interface Control {
  id: string;
  /** Dotted path in the definition; undefined for fields of something else. */
  path: string | undefined;
  help: string | undefined;
  problems: readonly Problem[];
  describedBy: string | undefined;
  invalid: boolean;
}

const Scope = createContext<Path | null>(null);

/** The fields inside belong to the definition's part at `path`. */
export function FieldScope({ path, children }: { path: Path; children: ReactNode }): JSX.Element {
  return <Scope.Provider value={path}>{children}</Scope.Provider>;
}

/** What a field is given to show and change a field of `part`, which lies at `path` of the definition. */
export function useBinding<Part extends object>(path: Path, part: Part) {
  const actions = useActions();
  return <Name extends keyof Part & string>(name: Name) => ({
    name,
    value: part[name],
    onChange: (value: unknown) => actions.edit([...path, name], value)
  });
}

const NONE: readonly Problem[] = [];

/** Quotes of code in a help text are for readers of the source. */
function plain(text: string | undefined): string | undefined {
  return text?.replace(/`/g, '').replace(/\s+/g, ' ');
}

/** Whether a help line only says the label again. */
function says(help: string, label: string): boolean {
  const bare = (text: string) => text.trim().replace(/\.$/, '').toLowerCase();
  return bare(help) === bare(label);
}

export function useControl({ label, help, name }: FieldProps): Control {
  const id = useId();
  const scope = useContext(Scope);
  const path = scope && name ? [...scope, ...name.split('.')] : null;
  const dotted = path?.join('.');
  const docs = useProject(state => state.fieldDocs);
  const validation = useProject(state => (state.frozen ? null : state.validation));
  const found = dotted ? problemsAt(validation, dotted) : NONE;
  const text = help ?? (docs && path ? plain(fieldAt(docs, path)?.description) : undefined);
  const shown = text && !says(text, label) ? text : undefined;
  const describedBy = [shown ? `${id}-help` : '', found.length ? `${id}-found` : '']
    .filter(Boolean)
    .join(' ');
  return {
    id,
    path: dotted,
    help: shown,
    problems: found,
    describedBy: describedBy || undefined,
    invalid: found.some(each => each.severity === 'error')
  };
}

/** Help line and findings below a control. */
export function Below({ control }: { control: Control }): JSX.Element {
  const { id, help, problems } = control;
  return (
    <>
      {help && (
        <p id={`${id}-help`} className="ca-Field-help">
          {help}
        </p>
      )}
      {problems.length > 0 && (
        <div id={`${id}-found`} className="ca-Field-found">
          {problems.map((each, index) => (
            <p key={index} data-severity={each.severity}>
              {each.message}
            </p>
          ))}
        </div>
      )}
    </>
  );
}

/** Label above, control, help and findings below. */
export function Framed(props: { label: string; control: Control; children: ReactNode }): JSX.Element {
  const { label, control, children } = props;
  return (
    <div className="ca-Field" data-field={control.path}>
      <label htmlFor={control.id}>{label}</label>
      {children}
      <Below control={control} />
    </div>
  );
}
