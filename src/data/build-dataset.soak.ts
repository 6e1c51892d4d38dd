import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { randomStream } from '../core/random.ts';
import { createFileWriter } from '../store/files/file-writer.ts';
import { dataValues, request, source, testFolder } from './test-rows.ts';

const files = testFolder();
afterAll(() => files.remove());

const megabyte = 1e6;
const words = 'the market closed higher as "naïve" traders\nbought — yields fell 3.5 % below zero again'.split(' ');

/** Conversations of four turns and about 2.4 kB; none equals another. */
async function writeConversations(file: string, bytes: number): Promise<number> {
  const random = randomStream(11);
  const say = (count: number): string =>
    Array.from({ length: count }, () => words[random.below(words.length)]).join(' ');
  await using writer = await createFileWriter(file);
  let rows = 0;
  for (let written = 0; written < bytes; rows++) {
    const line = `${JSON.stringify({
      messages: [
        { role: 'user', content: `${rows} ${say(100)}` },
        { role: 'assistant', content: say(150) },
        { role: 'user', content: say(50) },
        { role: 'assistant', content: say(120) },
      ],
      score: rows / 7,
    })}\n`;
    written += Buffer.byteLength(line);
    await writer.write(line);
  }
  return rows;
}

test('300 MB of rows become a dataset in under 400 MB of memory, two threads beside', async () => {
  const file = join(files.folder, 'large.jsonl');
  const folder = join(files.folder, 'dataset');
  mkdirSync(folder);
  const rows = await writeConversations(file, 300 * megabyte);
  const build = { ...request(dataValues([source(file)])), folder, workers: 2 };
  // A process of its own: the test runner's memory is not the builder's.
  const script = `
    const { buildDataset } = await import(${JSON.stringify(pathToFileURL(join(import.meta.dirname, 'index.ts')).href)});
    const { dataset } = await buildDataset(${JSON.stringify(build)});
    console.log(JSON.stringify({ train: dataset.fates.train, peakBytes: process.resourceUsage().maxRSS * 1024 }));`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  const { train, peakBytes } = JSON.parse(output);
  expect(train).toBe(rows);
  expect(peakBytes).toBeLessThan(400 * megabyte);
});
