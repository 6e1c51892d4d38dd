import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openEncoder } from '../models/encoder.ts';
import { promptEngineContract } from '../testing/prompt-engine-contract.ts';
import { servedPrompts } from './served-prompts.ts';

const open = async ({ folder: model, now }: { readonly folder: string; readonly now: Date }) =>
  servedPrompts(await openEncoder({ folder: model, render: { template: 'model', learn: 'last', system: null }, now }));

const root = await mkdtemp(join(tmpdir(), 'martlet-served-prompts-'));
afterAll(() => rm(root, { recursive: true, force: true }));
for (const { name, run } of promptEngineContract({ folder: root, open })) test(name, run);

test('what the gateway does not know is refused before anything is encoded', async () => {
  const engine = servedPrompts({ prompt: () => expect.unreachable() });
  const asked = engine.promptIds({
    messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'a.png' } }] }],
  });
  await expect(asked).rejects.toMatchObject({
    code: 'invalid-input',
    issues: [{ path: ['messages', 0, 'content', 0] }],
  });
});
