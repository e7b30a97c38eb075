/**
 * Programs that call a project, ready to paste: pure.
 */
import type { Definition } from '../api/types';
import { needsPrompt, variablesToAsk } from '../stores/select';

export type Language = 'curl' | 'python' | 'javascript';
export type Manner = 'wait' | 'stream';

/** What stands for a key that nobody has at hand. */
export const NO_KEY = 'ca_…';

export interface Call {
  /** Address of the API. */
  root: string;
  projectId: string;
  key: string;
  /** Wait for the answer, or follow the events. */
  manner: Manner;
}

/** What the call has to bring: values for variables without a default, and a prompt where there is no task. */
export function bodyOf(definition: Definition, manner: Manner): Record<string, unknown> {
  const names = variablesToAsk(definition);
  const optional = Object.entries(definition.variables).filter(([name]) => !names.includes(name));
  const variables = {
    ...Object.fromEntries(names.map(name => [name, `value of ${name}`])),
    ...Object.fromEntries(optional.map(([name, variable]) => [name, variable.default ?? '']))
  };
  return {
    ...(needsPrompt(definition) ? { prompt: 'What shall it do?' } : {}),
    ...(Object.keys(variables).length ? { variables } : {}),
    [manner === 'wait' ? 'wait' : 'stream']: true
  };
}

/** `text` between single quotes for a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replace(/'/g, `'\\''`)}'`;
}

/** A JSON value as Python writes it. */
function python(value: unknown, indent = ''): string {
  const deeper = `${indent}    `;
  if (value === true || value === false || value === null) {
    return { true: 'True', false: 'False', null: 'None' }[String(value)]!;
  }
  if (typeof value === 'object') {
    const lines = Object.entries(value as object).map(
      ([name, each]) => `${deeper}${JSON.stringify(name)}: ${python(each, deeper)},\n`
    );
    return `{\n${lines.join('')}${indent}}`;
  }
  return JSON.stringify(value);
}

function curl(call: Call, url: string, body: unknown): string {
  return [
    `curl ${call.manner === 'stream' ? '-N ' : ''}${quoted(url)} \\`,
    `  -H ${quoted(`X-API-Key: ${call.key}`)} \\`,
    `  -H 'Content-Type: application/json' \\`,
    `  -d ${quoted(JSON.stringify(body))}`
  ].join('\n');
}

function pythonProgram(call: Call, url: string, body: unknown): string {
  const request = [
    `    ${JSON.stringify(url)},`,
    `    data=json.dumps(${python(body, '    ')}).encode(),`,
    `    headers={"X-API-Key": ${JSON.stringify(call.key)}, "Content-Type": "application/json"},`
  ];
  const reading =
    call.manner === 'wait'
      ? [
          'with urllib.request.urlopen(request) as answer:',
          '    execution = json.load(answer)',
          'print(execution["status"], execution["total_cost_usd"])',
          'print(execution["result"])'
        ]
      : [
          'with urllib.request.urlopen(request) as events:',
          '    for line in events:',
          '        if line.startswith(b"data: "):',
          '            event = json.loads(line[6:])',
          '            print(event["type"], event.get("content", ""))'
        ];
  return [
    'import json',
    'import urllib.request',
    '',
    'request = urllib.request.Request(',
    ...request,
    ')',
    ...reading
  ].join('\n');
}

function javascript(call: Call, url: string, body: unknown): string {
  const reading =
    call.manner === 'wait'
      ? [
          'const execution = await answer.json();',
          'console.log(execution.status, execution.total_cost_usd);',
          'console.log(execution.result);'
        ]
      : [
          'let rest = "";',
          'const decoder = new TextDecoder();',
          'for await (const bytes of answer.body) {',
          '  const lines = (rest + decoder.decode(bytes, { stream: true })).split("\\n");',
          '  rest = lines.pop();',
          '  for (const line of lines.filter((each) => each.startsWith("data: "))) {',
          '    const event = JSON.parse(line.slice(6));',
          '    console.log(event.type, event.content ?? "");',
          '  }',
          '}'
        ];
  const json = JSON.stringify(body, null, 2).replace(/\n/g, '\n  ');
  return [
    `const answer = await fetch(${JSON.stringify(url)}, {`,
    '  method: "POST",',
    `  headers: { "X-API-Key": ${JSON.stringify(call.key)}, "Content-Type": "application/json" },`,
    `  body: JSON.stringify(${json}),`,
    '});',
    'if (!answer.ok) throw new Error((await answer.json()).error.message);',
    ...reading
  ].join('\n');
}

/** The program in `language` that makes `call`. */
export function snippet(language: Language, call: Call, definition: Definition): string {
  const url = `${call.root}/projects/${call.projectId}/execute`;
  const body = bodyOf(definition, call.manner);
  const write = { curl, python: pythonProgram, javascript }[language];
  return write(call, url, body);
}
