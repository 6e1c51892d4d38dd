// npm run generate [-- --check]: writes what is derived from the schemas; with --check it fails when that would change anything.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generatedFiles, generatedFolders } from './generate/files.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const check = process.argv.includes('--check');
const files = generatedFiles();
const stale: string[] = [];

for (const [path, text] of files) {
  if ((await readFile(join(root, path), 'utf8').catch(() => undefined)) === text) continue;
  stale.push(path);
  if (check) continue;
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}
for (const { folder, owns } of generatedFolders)
  for (const name of await readdir(join(root, folder)).catch(() => []))
    if (owns(name) && !files.has(`${folder}/${name}`)) {
      stale.push(`${folder}/${name}`);
      if (!check) await rm(join(root, folder, name));
    }

if (stale.length === 0) console.log(`${files.size} generated files are as they should be`);
else if (check) {
  console.error(`These generated files are out of date:\n${stale.map((path) => `  ${path}`).join('\n')}`);
  console.error('Run npm run generate and commit the result.');
  process.exitCode = 1;
} else console.log(`wrote ${stale.join(', ')}`);
