import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { measureReading, writeChats } from './read-memory.ts';
import { chat, testFolder } from './test-rows.ts';

const files = testFolder();
afterAll(files.remove);

test.each(['chats.jsonl', 'chats.jsonl.gz', 'chats.jsonl.zst', 'chats.csv'])(
  '300 MB of %s stay under 600 MB',
  async (name) => {
    const file = `${files.folder}/${name}`;
    await writeChats(file, 300e6);
    const { rows, invalid, peakBytes } = await measureReading(file);
    expect(rows).toBeGreaterThan(200_000);
    expect(invalid).toBe(0);
    expect(peakBytes).toBeLessThan(600e6);
  },
);

test('a line of 200 MB is one lost row', async () => {
  const file = `${files.folder}/line.jsonl`;
  const out = createWriteStream(file);
  out.write(`${JSON.stringify(chat('before'))}\n{"text":"`);
  const piece = 'x'.repeat(1e6);
  for (let index = 0; index < 200; index++) if (!out.write(piece)) await once(out, 'drain');
  out.end(`"}\n${JSON.stringify(chat('after'))}\n`);
  await once(out, 'close');
  const { rows, invalid, peakBytes } = await measureReading(file);
  expect([rows, invalid]).toEqual([3, 1]);
  expect(peakBytes).toBeLessThan(600e6);
});
