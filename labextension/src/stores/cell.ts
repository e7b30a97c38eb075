/**
 * The Python that calls a project, for a cell of a notebook: pure.
 */
import type { Definition } from '../api/types';

/** A text as Python writes it; JSON's escapes are Python's too. */
function literal(text: string): string {
  return JSON.stringify(text);
}

const NAME = /^[A-Za-z_]\w*$/;
/** Names that `run` has for itself, and words that Python has. */
const TAKEN =
  /^(prompt|wait|limits|files|values|version|model|replay|continue_from|step|attended|batch|metadata|idempotency_key|self|False|None|True|and|as|assert|async|await|break|class|continue|def|del|elif|else|except|finally|for|from|global|if|import|in|is|lambda|nonlocal|not|or|pass|raise|return|try|while|with|yield)$/;

/** A cell that runs the project with the values that it must be given, `known` ones filled in. */
export function cellFor(definition: Definition, known: Readonly<Record<string, string>> = {}): string {
  const asked = Object.entries(definition.variables)
    .filter(([name, variable]) => known[name] || (variable.required && variable.default === null))
    .map(([name]): [string, string] => [name, known[name] ?? '']);
  const named = asked.filter(([name]) => NAME.test(name) && !TAKEN.test(name));
  const others = asked.filter(each => !named.includes(each));
  const parts = [
    ...(definition.agent.task.trim() ? [] : [literal('Say here what it shall do.')]),
    ...named.map(([name, value]) => `${name}=${literal(value)}`),
    ...(others.length
      ? [`values={${others.map(([name, value]) => `${literal(name)}: ${literal(value)}`).join(', ')}}`]
      : [])
  ];
  return [
    'from cloutagent_ext import connect',
    '',
    `run = connect()[${literal(definition.name)}].run(${parts.join(', ')})`,
    'run'
  ].join('\n');
}
