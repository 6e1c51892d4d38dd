import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openStore } from './open-store.ts';
import { make } from './stage.ts';

test('what was made before is given out again; read anew, an altered one is kept and made as the next version', async () => {
  const root = await mkdtemp(join(tmpdir(), 'martlet-stage-'));
  onTestFinished(() => rm(root, { recursive: true }));
  const store = await openStore({
    root,
    clock: () => new Date(0),
    who: 'tester',
    code: { version: '0.0.0', revision: null },
  });
  const said: string[] = [];
  const makeModel = () =>
    make(
      {
        store,
        log: (line) => void said.push(line),
        onMade: ({ address }, isNew) => void said.push(`${address} ${isNew}`),
      },
      { kind: 'model', name: 'brief', of: 'adapter', inputs: [], reread: true },
      async (folder) => {
        await writeFile(join(folder, 'weights'), 'right');
        return {};
      },
    );
  const first = await makeModel();
  await makeModel();
  await writeFile(join(first.folder, 'weights'), 'wrong');
  const second = await makeModel();
  expect(said).toEqual([
    'brief@1 true',
    'brief@1 false',
    'warning model brief@1 is not as it was made (weights was altered): it is made anew',
    'brief@2 true',
  ]);
  expect(await readFile(join(second.folder, 'weights'), 'utf8')).toBe('right');
  expect(await readFile(join(first.folder, 'weights'), 'utf8')).toBe('wrong');
});
