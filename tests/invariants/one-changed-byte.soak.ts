import { rm } from 'node:fs/promises';
import { test } from 'vitest';
import { flipBytes, makeChain } from '../support/pipeline-chain.ts';

test('bits flipped all over what the pipeline made: never complete, always named', async () => {
  const chain = await makeChain();
  try {
    await flipBytes(chain, { places: 40, seed: 1 });
  } finally {
    await rm(chain.folder, { recursive: true, force: true });
  }
});
