/**
 * What the server says about each field of a definition: its help line and its bounds. Pure.
 *
 * The texts are those of the schema (`openapi.json`), so a field that is new there has its help here.
 */
import type { Schema } from '../api/schema';
import type { Path } from '../graph/changes';

/** Schemas by name, as the contract holds them. */
export type FieldDocs = Readonly<Record<string, Schema>>;

/** Where a definition begins. */
const ROOT = 'Definition';

function inside(docs: FieldDocs, schema: Schema, key: string): Schema | undefined {
  const choices = [schema, ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].map(each =>
    resolved(docs, each)
  );
  for (const each of choices) {
    const more = typeof each.additionalProperties === 'object' ? each.additionalProperties : undefined;
    const found =
      each.properties?.[key] ?? each.items ?? Object.values(each.patternProperties ?? {})[0] ?? more;
    if (found) {
      return found;
    }
  }
  return undefined;
}

function resolved(docs: FieldDocs, schema: Schema): Schema {
  const name = schema.$ref?.split('/').pop();
  return name
    ? { ...docs[name], ...(schema.description ? { description: schema.description } : {}) }
    : schema;
}

/** The schema of the field at `path`, undefined where the contract has none. */
export function fieldAt(docs: FieldDocs, path: Path): Schema | undefined {
  let at: Schema | undefined = docs[ROOT];
  for (const key of path) {
    const next: Schema | undefined = at && inside(docs, at, String(key));
    at = next && resolved(docs, next);
  }
  return at;
}
