import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ownerToken } from '../store/files/owner.ts';
import type { HubFile } from './hub.ts';
import { openLendingRoom } from './lending-room.ts';

const scratch = mkdtempSync(join(tmpdir(), 'martlet-lending-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const fileOf = (name: string, bytes: number): HubFile => ({
  ...{ name: `data/${name}`, bytes, url: `http://hub/${name}` },
  digest: { algorithm: 'sha256', hex: name.repeat(8) },
});

function openRoom(bytes: number) {
  const folder = mkdtempSync(join(scratch, 'room-'));
  const room = openLendingRoom({ folder, bytes });
  const fetched: string[] = [];
  const lend = (file: HubFile) =>
    room.lend(file, async (path) => {
      fetched.push(file.name);
      await writeFile(path, 'x'.repeat(file.bytes));
    });
  const standing = (): string[] =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).flatMap((path) => /-([abcd])$/.exec(path)?.[1] ?? []);
  return { folder, room, fetched, lend, standing };
}

async function read(lent: Promise<AsyncDisposable & { readonly path: string }>): Promise<number> {
  await using file = await lent;
  return readFileSync(file.path).length;
}

test('read again and again, what fits stays and the rest takes turns', async () => {
  const { lend, room, fetched, standing } = openRoom(30);
  const files = ['a', 'b', 'c', 'd'].map((name) => fileOf(name, 10));
  room.expect(files);
  for (let pass = 0; pass < 3; pass++) for (const file of files) expect(await read(lend(file))).toBe(10);
  expect(standing()).toHaveLength(3);
  // Of four files a pass all are fetched once, then no more than do not fit.
  expect(fetched.length).toBe(4 + 2 * 1);
});

test('there is room for the largest file of each data set, whatever the budget; a file in use does not go', async () => {
  const { lend, room, standing } = openRoom(1);
  const [a, b, c] = [fileOf('a', 10), fileOf('b', 7), fileOf('c', 5)];
  room.expect([a, c]);
  room.expect([b]);
  await using held = await lend(a);
  expect(await read(lend(b))).toBe(7);
  expect(await read(lend(c))).toBe(5);
  expect(readFileSync(held.path).length).toBe(10);
  expect(standing().sort()).toEqual(['a', 'c']);
});

test('what a fetch that failed left takes no room, and rooms of processes that are gone are removed', async () => {
  const { folder, room, lend, standing } = openRoom(10);
  const gone = join(folder, ownerToken().replace(/^\d+/, '999999999'));
  mkdirSync(gone);
  writeFileSync(join(gone, 'left-d'), 'x');
  room.expect([fileOf('a', 10)]);
  await expect(room.lend(fileOf('a', 10), () => Promise.reject(new Error('no network')))).rejects.toThrow('no network');
  expect(await read(lend(fileOf('b', 10)))).toBe(10);
  expect(standing()).toEqual(['b']);
});
