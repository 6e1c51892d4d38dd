import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createFileWriter } from './file-writer.ts';

const folder = mkdtempSync(join(tmpdir(), 'martlet-writer-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('texts and bytes of any size stand in the file in their order', async () => {
  const file = join(folder, 'mixed');
  const expected: Buffer[] = [];
  {
    await using writer = await createFileWriter(file);
    for (let size = 1; size < 700_000; size = size * 3 + 1) {
      const text = 'ä€😀'.repeat(Math.ceil(size / 4));
      const bytes = new Uint8Array(size).fill(size % 251);
      expected.push(Buffer.from(text), Buffer.from(bytes));
      await writer.write(text);
      await writer.write(bytes);
      bytes.fill(0);
    }
    await writer.writeJson({ last: true });
    expected.push(Buffer.from('{"last":true}\n'));
  }
  expect(readFileSync(file).equals(Buffer.concat(expected))).toBe(true);
});

test('a file that is there is never written over', async () => {
  const file = join(folder, 'taken');
  await (await createFileWriter(file)).close();
  await expect(createFileWriter(file)).rejects.toThrow(/EEXIST/);
});
