import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { remembered } from './remembered.ts';

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'martlet-remembered-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Gives 1, 2, 3 ...: which look a value comes from. */
function counter(): () => Promise<{ looks: number }> {
  let looks = 0;
  return async () => ({ looks: ++looks });
}

test('a value is worked out once for a key, and each time where there is none', () =>
  inFolder(async (folder) => {
    const look = counter();
    expect(await remembered({ folder, key: 'a', look })).toEqual({ looks: 1 });
    expect(await remembered({ folder, key: 'a', look })).toEqual({ looks: 1 });
    expect(await remembered({ folder, key: 'b', look })).toEqual({ looks: 2 });
    expect(await remembered({ folder, key: null, look })).toEqual({ looks: 3 });
    expect(await remembered({ folder, key: null, look })).toEqual({ looks: 4 });
  }));

test('a file that was cut short is worked out anew, and a folder that cannot be written to costs nothing but time', () =>
  inFolder(async (folder) => {
    const look = counter();
    await writeFile(join(folder, 'a.json'), '{"looks": 9');
    expect(await remembered({ folder, key: 'a', look })).toEqual({ looks: 1 });
    const file = join(folder, 'a.json');
    expect(await remembered({ folder: join(file, 'below'), key: 'a', look })).toEqual({ looks: 2 });
  }));

test('what was written first is forgotten first', () =>
  inFolder(async (folder) => {
    const look = counter();
    await Promise.all(Array.from({ length: 256 }, (_, index) => writeFile(join(folder, `${index}.json`), '{}')));
    await remembered({ folder, key: 'newest', look });
    const names = await readdir(folder);
    expect(names).toHaveLength(128);
    expect(names).toContain('newest.json');
  }));
