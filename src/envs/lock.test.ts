import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { environments, thisPlatform } from './catalogue.ts';
import { lockFolder, parseRequirements, readLock } from './lock.ts';

const hash = (digit: string): string => digit.repeat(64);

test('reads versions and hashes over continued lines', () => {
  const { packages } = parseRequirements(
    `# made by hand\nnumpy==2.4.6 \\\n    --hash=sha256:${hash('a')} \\\n    --hash=sha256:${hash('b')}\ntorch==2.13.0 --hash=sha256:${hash('c')}\n`,
    'x.lock',
  );
  expect(packages).toEqual([
    { name: 'numpy', version: '2.4.6', hashes: [hash('a'), hash('b')] },
    { name: 'torch', version: '2.13.0', hashes: [hash('c')] },
  ]);
});

test('the hash is of what is locked: comments and layout do not count, a digit does', () => {
  const line = `numpy==2.4.6 --hash=sha256:${hash('a')}`;
  const locked = parseRequirements(line, 'x.lock').hash;
  expect(parseRequirements(`# new comment\n\nnumpy==2.4.6 \\\n  --hash=sha256:${hash('a')}\r\n`, 'x.lock').hash).toBe(
    locked,
  );
  expect(parseRequirements(line.replace('2.4.6', '2.4.7'), 'x.lock').hash).not.toBe(locked);
});

test.each(['numpy==2.4.6', 'numpy', 'numpy>=2 --hash=sha256:00', '--index-url https://example.org'])(
  'refuses %s: nothing may be installed whose content is not known',
  (line) => expect(() => parseRequirements(line, 'x.lock')).toThrow(/no locked package/),
);

test('every environment has the locks it says it has, with a hash for every package', () => {
  for (const environment of environments) {
    const platforms = environment.kind === 'python' ? environment.platforms : Object.keys(environment.platformPackages);
    const suffix = environment.kind === 'python' ? '.lock' : '/package-lock.json';
    for (const platform of platforms)
      expect(
        existsSync(`${lockFolder()}/${environment.name}.${platform}${suffix}`),
        `${environment.name} ${platform}`,
      ).toBe(true);
    if (!platforms.includes(thisPlatform)) continue;
    const { packages } = readLock(environment);
    expect(packages.length).toBeGreaterThan(3);
    if (environment.kind === 'python') expect(packages.filter(({ hashes }) => hashes.length === 0)).toEqual([]);
  }
});

test('an environment without a lock for this machine says where there is one', () => {
  const environment = {
    kind: 'python',
    name: 'x',
    summary: '',
    requirements: [],
    pythons: ['3.11'],
    platforms: ['amiga-m68k'],
  } as const;
  expect(() => readLock(environment)).toThrow(
    expect.objectContaining({ code: 'platform-unsupported', hint: 'It is locked for amiga-m68k.' }),
  );
});
