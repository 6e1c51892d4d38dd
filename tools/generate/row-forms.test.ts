import { afterAll, expect, test } from 'vitest';
import { formats, readingsOf } from '../../src/data/formats.ts';
import type { JsonObject } from '../../src/data/strict-json.ts';
import { dataValues, outcomes, source, testFolder } from '../../src/data/test-rows.ts';
import { sample } from '../../src/schema/sample.ts';
import { rowForms } from './row-forms.ts';

const files = testFolder();
afterAll(() => files.remove());
for (const name of ['a.png', 'b.png']) files.write(name, 'an image');

test.each(rowForms.map((form, index) => ({ ...form, index })))(
  '$name',
  async ({ row, reads, format, changes = [], index }) => {
    expect(readingsOf(row as JsonObject).map((reading) => reading.format.name)).toEqual([format]);
    const file = files.write(`form-${index}.jsonl`, [row]);
    const [outcome] = await outcomes(dataValues([source(file)]));
    expect(outcome?.reason).toBeNull();
    expect(outcome?.changes).toEqual(changes);
    expect(sample.safeParse(outcome?.sample).error).toBeUndefined();
    const { id: _, split: __, provenance: ___, ...content } = outcome?.sample ?? ({} as never);
    expect(content).toEqual(reads);
  },
);

test('every format has a form', () => {
  expect(new Set(rowForms.map(({ format }) => format))).toEqual(new Set(formats.map(({ name }) => name)));
});
