import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { fingerprint } from '../core/fingerprint.ts';
import { documentJsonSchema, type SchemaNode } from '../recipe/index.ts';
import * as schemas from '../schema/index.ts';
import { readDocument } from './read-document.ts';

const thing = z.strictObject({
  schema: z.literal('thing/2'),
  name: z.string(),
  parts: z.array(z.strictObject({ size: z.number().default(1) })).default([]),
});

test('a document is taken from an earlier writer of its version, and from no later one', async () => {
  const root = mkdtempSync(join(tmpdir(), 'martlet-document-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const folder = join(root, 'checkpoints', 'step-1');
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'thing.json');
  const read = async (value: unknown) => {
    await writeFile(file, typeof value === 'string' ? value : JSON.stringify(value));
    return readDocument(file, thing).catch((error: Error) => error.message.replace(file, 'FILE'));
  };
  const whole = { schema: 'thing/2', name: 'a', parts: [{ size: 1 }] };
  expect(await read({ schema: 'thing/2', name: 'a' })).toEqual({ ...whole, parts: [] });
  expect(await read({ ...whole, parts: [{}] })).toEqual(whole);
  expect(await read({ ...whole, parts: [{ colour: 'red' }], more: 1 })).toBe(
    'FILE: parts[0].colour: not known here; more: not known here',
  );
  await writeFile(
    join(root, 'lineage.json'),
    JSON.stringify({ code: { version: '9.1.0', revision: null }, new: true }),
  );
  expect(await read({ ...whole, more: 1 })).toMatch(/^FILE: more: not known here; martlet 9\.1\.0 wrote it$/);
  expect(await read({ ...whole, schema: 'thing/3' })).toMatch(
    /^FILE: it is thing\/3, and thing\/2 is read here; martlet 9/,
  );
  expect(await read({})).toMatch(/^FILE: it is of no version, and thing\/2 is read here/);
  expect(await read('{"schema"')).toMatch(/^FILE is not JSON: /);
});

/**
 * The fields without which a document of a version is not one, as a fingerprint. They stand from the day the version begins:
 * a field that is added later has a default, or may be absent. Where this fails, give the new field one, or raise the version.
 */
const required: Readonly<Record<string, string>> = {
  'audit-head/1': 'd962e28115c4',
  auditRecord: '2e28c39a3345',
  'base-model/1': '76ad16f9cf29',
  'capture/1': 'b4113e90535e',
  'certificate/1': '7fd9fe9cbf24',
  'checkpoint/1': '9208680ae0b2',
  'dataset/1': 'c00e86cb5bb9',
  datasetPiece: '030d967b8fd4',
  'deployment/1': '42f168be3216',
  evalSample: '2ed7b73a0f74',
  'judgement/1': '7d5dc1c1748f',
  ledgerEntry: '848183c51dcb',
  'lineage/1': '2087ea775be2',
  'model/1': 'e5f433e8ba0d',
  'plan/2': '46f4bd47cca7',
  'report/1': 'a363b367f88b',
  'run/1': '1f0af50c00eb',
  runEvent: 'cb242bd91507',
  sample: '875f45b81dba',
  'shards/4': '1ad0ce014b83',
  'streamed-dataset/2': 'd312491f688f',
};

/** Lines that bear no version of their own: that of the document they belong to is theirs. */
const { sample, ledgerEntry, datasetPiece, evalSample, auditRecord, runEvent } = schemas;
const lines = { sample, ledgerEntry, datasetPiece, evalSample, auditRecord, runEvent };

test('no version of a document comes to need a field that its earlier writers did not know', () => {
  const found: Record<string, string> = {};
  const add = (name: string, schema: z.ZodType): void => {
    const fields = requiredFields(documentJsonSchema(schema, 'input'), '');
    found[name] = fingerprint(fields).slice(0, 12);
  };
  for (const schema of Object.values(schemas)) {
    const version = schema instanceof z.ZodObject && (schema.shape as Record<string, unknown>).schema;
    if (schema instanceof z.ZodObject && version instanceof z.ZodLiteral) add(String(version.value), schema);
  }
  for (const [name, schema] of Object.entries(lines)) add(name, schema);
  expect(found).toEqual(required);
});

/** Paths of all fields that must be there; what stands in a section that may be absent is not among them. */
function requiredFields(node: SchemaNode, path: string): readonly string[] {
  const { properties = {}, required = [], items, additionalProperties } = node;
  const inner = required.flatMap((name) => {
    const at = `${path}.${name}`;
    return [at, ...requiredFields(properties[name] ?? {}, at)];
  });
  const others = [items, node.anyOf, node.oneOf, additionalProperties].flatMap((each) => each ?? []);
  const among = others.flatMap((each) => (typeof each === 'object' ? requiredFields(each, `${path}[]`) : []));
  return [...new Set([...inner, ...among])].sort();
}
