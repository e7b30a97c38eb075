/**
 * What the sections of settings are made of: what the server says against something, forms that unfold,
 * rows of a list.
 */
import type { ReactNode } from 'react';

import { useUi } from '../../ui/context';
import type { GlyphName } from '../../ui/glyphs';
import { Icon } from '../../ui/Icon';

/** What went wrong, with a way to try again where there is one. */
export function Trouble({
  text,
  onRetry
}: {
  text: string | null;
  onRetry?: () => void;
}): JSX.Element | null {
  const { trans } = useUi();
  if (!text) {
    return null;
  }
  return (
    <p role="alert" className="ca-Field-bad">
      {text}
      {onRetry && (
        <>
          {' '}
          <button type="button" className="ca-Link" onClick={onRetry}>
            {trans.__('Try again')}
          </button>
        </>
      )}
    </p>
  );
}

/** A form in place of the button that asked for it. */
export function Inset(props: {
  /** Word on its button. */
  accept: string;
  complete: boolean;
  busy: boolean;
  trouble: string | null;
  onAccept: () => void;
  onCancel: () => void;
  children: ReactNode;
}): JSX.Element {
  const { trans } = useUi();
  return (
    <form
      className="ca-Inset"
      onSubmit={event => {
        event.preventDefault();
        if (props.complete) {
          props.onAccept();
        }
      }}
    >
      {props.children}
      <Trouble text={props.trouble} />
      <div className="ca-Inset-buttons">
        <button type="button" className="ca-Secondary" onClick={props.onCancel}>
          {trans.__('Cancel')}
        </button>
        <button type="submit" className="ca-Primary" disabled={!props.complete || props.busy}>
          {props.accept}
        </button>
      </div>
    </form>
  );
}

/** One thing in a list: its name, facts about it, what can be done with it, and what else there is to say. */
export function Entry(props: {
  name: ReactNode;
  facts: readonly string[];
  /** The same facts, exact. */
  exact: string;
  chips?: ReactNode;
  buttons: ReactNode;
  trouble: string | null;
  children?: ReactNode;
}): JSX.Element {
  return (
    <li className="ca-Entry">
      <div className="ca-Entry-line">
        <div className="ca-Entry-main">
          {props.name}
          <span className="ca-Entry-facts" title={props.exact}>
            {props.facts.join(' · ')}
          </span>
          {props.chips && <span className="ca-Entry-chips">{props.chips}</span>}
        </div>
        {props.buttons}
      </div>
      <Trouble text={props.trouble} />
      {props.children}
    </li>
  );
}

export function EntryButton(props: {
  icon: GlyphName;
  label: string;
  title: string;
  disabled?: boolean;
  onClick: () => void;
}): JSX.Element {
  return (
    <button
      type="button"
      className="ca-Button"
      aria-label={props.label}
      title={props.title}
      disabled={props.disabled}
      onClick={props.onClick}
    >
      <Icon name={props.icon} />
    </button>
  );
}

/** Unfolds an `Inset`. */
export function AddButton({ label, onClick }: { label: string; onClick: () => void }): JSX.Element {
  return (
    <button type="button" className="ca-Secondary ca-Section-add" onClick={onClick}>
      <Icon name="plus" />
      {label}
    </button>
  );
}
