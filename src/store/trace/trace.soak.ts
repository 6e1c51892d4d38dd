import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { randomStream } from '../../core/random.ts';
import { listFiles } from '../files/files.ts';
import { writeChain } from './fixture.ts';
import { traceAnswer } from './trace.ts';

test('many bits flipped in every file: never complete, always named', async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'martlet-trace-'));
  try {
    const chain = await writeChain(scratch);
    const random = randomStream(2);
    const files = (await listFiles(scratch)).filter((file) => file !== 'base/model.json' && file !== 'store/audit/key');
    for (const file of files) {
      const path = join(scratch, file);
      const bytes = await readFile(path);
      for (let i = 0; i < 200; i++) {
        const place = random.below(Math.max(bytes.length, 1));
        // A file that is empty gains a byte.
        const changed = bytes.length === 0 ? Buffer.alloc(1) : Buffer.from(bytes);
        changed[place] = (changed[place] ?? 0) ^ (1 << random.below(8));
        await writeFile(path, changed);
        const trace = await traceAnswer(chain.store, chain.answer);
        expect(trace.complete, `byte ${place} of ${file}`).toBe(false);
        const named = file.startsWith('store/') ? relative('store', file) : path;
        expect(trace.hops.flatMap((hop) => hop.problems).join('\n'), `byte ${place} of ${file}`).toContain(named);
      }
      await writeFile(path, bytes);
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
});
