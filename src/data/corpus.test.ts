import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type FoundFile, foundIn } from './fuzz-readers.ts';
import { testFolder } from './test-rows.ts';

// Of each thing that fuzzing found to be wrong with a file or a row, the smallest file that has it.
const corpus = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures', 'corpus.json'), 'utf8')) as FoundFile[];

const files = testFolder();
afterAll(() => files.remove());

test.each(corpus.map((entry, index) => ({ ...entry, index })))(
  'file $index: $found',
  async ({ name, bytes, found, index }) => {
    expect(await foundIn(files.folder, { name: `${index}-${name}`, bytes: Buffer.from(bytes, 'latin1') })).toEqual(
      found,
    );
  },
);
