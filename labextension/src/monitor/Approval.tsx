/**
 * A call that waits for a person: what it would do, and the answer.
 *
 * Not here: which calls ask, and what becomes of an answer (the server says both).
 */
import { useEffect, useId, useRef, useState } from 'react';
import type { FormEvent, ReactNode } from 'react';

import type { Preview } from '../api/types';
import type { Question, ToolStep, Verdict } from '../stores/monitor';
import { useActions, useProject, useUi } from '../ui/context';
import { Icon } from '../ui/Icon';

import { inputText } from './summary';

/** What a line of a unified diff is, by its first character. */
function lineKind(line: string): string | undefined {
  return { '+': 'added', '-': 'removed', '@': 'place', '\\': 'place' }[line[0]];
}

/** What the call would do: it scrolls, also by keyboard. */
function Shown({
  kind,
  label,
  children
}: {
  kind?: string;
  label?: string;
  children: ReactNode;
}): JSX.Element {
  const { trans } = useUi();
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <pre className={`ca-Ask-content ${kind ?? ''}`} tabIndex={0} aria-label={label ?? trans.__('Arguments')}>
      {children}
    </pre>
  );
}

function Diff({ text }: { text: string }): JSX.Element {
  const { trans } = useUi();
  // Its first two lines name the file, as the heading does.
  const lines = text.replace(/\n$/, '').split('\n').slice(2);
  return (
    <Shown kind="ca-Diff" label={trans.__('Changes')}>
      {lines.map((line, index) => (
        // Lines of one text never move: their place is their identity.
        <span key={index} className="ca-Diff-line" data-line={lineKind(line)}>
          {`${line}\n`}
        </span>
      ))}
    </Shown>
  );
}

/** A fence longer than any in the code, so that it is shown as one block. */
function fenced(code: string): string {
  const fence = '`'.repeat(1 + Math.max(2, ...[...code.matchAll(/`+/g)].map(found => found[0].length)));
  return `${fence}python\n${code}\n${fence}`;
}

function Effect({ preview, question }: { preview: Preview | null; question: Question }): JSX.Element | null {
  const { RenderOutput, trans } = useUi();
  const actions = useActions();
  const executionId = useProject(state => state.executionId);
  if (!preview) {
    return <Shown>{inputText(question.input)}</Shown>;
  }
  switch (preview.kind) {
    case 'diff':
      return preview.content ? <Diff text={preview.content} /> : null;
    case 'command':
      return (
        <Shown kind="ca-mod-command" label={trans.__('Command')}>
          {preview.content}
        </Shown>
      );
    case 'code':
      return (
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        <div className="ca-Ask-content ca-mod-code" tabIndex={0} role="region" aria-label={trans.__('Code')}>
          <RenderOutput
            data={{ 'text/markdown': fenced(preview.content) }}
            executionId={executionId}
            onFile={path => actions.showTab('files', path)}
          />
        </div>
      );
    case 'call':
    case 'url':
      return <Shown>{preview.content}</Shown>;
  }
}

/** What is wrong with text that has to be a JSON object, null when nothing is. */
function useProblem(text: string | null): string | null {
  const { trans } = useUi();
  if (text === null) {
    return null;
  }
  try {
    const value: unknown = JSON.parse(text);
    const fits = typeof value === 'object' && value !== null && !Array.isArray(value);
    return fits ? null : trans.__('Arguments are a JSON object: {"name": value}.');
  } catch (error) {
    return trans.__('This is no JSON: %1', error instanceof Error ? error.message : String(error));
  }
}

export function Approval({ step, question }: { step: ToolStep; question: Question }): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const id = useId();
  const section = useRef<HTMLElement>(null);
  const [edited, setEdited] = useState<string | null>(null);
  const [message, setMessage] = useState('');
  const [sending, setSending] = useState(false);
  const [refused, setRefused] = useState<string | null>(null);
  const wrong = useProblem(edited);
  const { preview, reason } = question;

  useEffect(() => {
    const node = section.current;
    const row = node?.closest<HTMLElement>('[role=treeitem]');
    // Answered: whoever had the focus in here goes on at the row.
    return () => {
      if (node?.contains(document.activeElement)) {
        row?.focus({ preventScroll: true });
      }
    };
  }, []);

  const send = async (decision: 'allow' | 'deny') => {
    setSending(true);
    setRefused(null);
    const input =
      decision === 'allow' && edited !== null ? (JSON.parse(edited) as Record<string, unknown>) : null;
    setRefused(await actions.decide(step.callId, { decision, message, ...(input ? { input } : {}) }));
    setSending(false);
  };
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    if (!wrong) {
      void send('allow');
    }
  };
  return (
    <section ref={section} className="ca-Ask" aria-label={trans.__('%1 waits for you', step.tool)}>
      <header className="ca-Ask-head">
        <strong>{trans.__('Allow this call?')}</strong>
        {preview?.where && <code className="ca-Clip">{preview.where}</code>}
        <span className="ca-Ask-why">{reason}</span>
      </header>
      {edited === null ? (
        <>
          <Effect preview={preview} question={question} />
          {preview?.truncated && (
            <p className="ca-Ask-note">{trans.__('Shortened: its middle is not shown here.')}</p>
          )}
          {preview?.note && <p className="ca-Ask-note">{preview.note}</p>}
        </>
      ) : (
        <div className="ca-Field">
          <label htmlFor={`${id}-input`}>{trans.__('Arguments, as JSON')}</label>
          <textarea
            id={`${id}-input`}
            className="ca-mod-code"
            rows={Math.min(14, Math.max(3, edited.split('\n').length))}
            value={edited}
            aria-invalid={wrong !== null}
            aria-describedby={`${id}-wrong`}
            data-lm-suppress-shortcuts="true"
            spellCheck={false}
            autoFocus // eslint-disable-line jsx-a11y/no-autofocus -- opened by the person, to be typed in
            onChange={event => setEdited(event.target.value)}
          />
          <p id={`${id}-wrong`} className="ca-Ask-wrong" aria-live="polite">
            {wrong}
          </p>
        </div>
      )}
      {refused && (
        <p className="ca-Ask-wrong" role="alert">
          {refused}
        </p>
      )}
      <form className="ca-Ask-answer" onSubmit={onSubmit}>
        <button type="submit" className="ca-Primary" disabled={sending || wrong !== null}>
          <Icon name="check" />
          {edited === null ? trans.__('Allow') : trans.__('Allow as changed')}
        </button>
        <button
          type="button"
          className="ca-Secondary ca-Deny"
          disabled={sending}
          onClick={() => void send('deny')}
        >
          <Icon name="close" />
          {trans.__('Deny')}
        </button>
        <button
          type="button"
          className="ca-Button"
          disabled={sending}
          onClick={() => setEdited(edited === null ? JSON.stringify(question.input, null, 2) : null)}
        >
          {edited === null ? trans.__('Edit arguments') : trans.__('Undo the changes')}
        </button>
        <input
          type="text"
          className="ca-Ask-message"
          value={message}
          maxLength={10_000}
          placeholder={trans.__('Message, if you deny: what to do instead')}
          aria-label={trans.__('Message to the agent')}
          data-lm-suppress-shortcuts="true"
          onChange={event => setMessage(event.target.value)}
          onKeyDown={event => {
            if (event.key === 'Enter' && message.trim()) {
              // Words say no: they would be lost with a yes.
              event.preventDefault();
              void send('deny');
            }
          }}
        />
      </form>
    </section>
  );
}

/** Who has decided, once somebody has, and with what change. */
export function Decided({ verdict }: { verdict: Verdict }): JSX.Element {
  const { trans } = useUi();
  const words = verdict.allow
    ? verdict.input
      ? trans.__('allowed with changes')
      : trans.__('allowed')
    : trans.__('denied');
  const by = trans.__('by %1', verdict.by);
  return (
    <span
      className="ca-Badge"
      data-verdict={verdict.allow ? 'allow' : 'deny'}
      title={[by, verdict.message].filter(Boolean).join(': ')}
    >
      {words}
    </span>
  );
}
