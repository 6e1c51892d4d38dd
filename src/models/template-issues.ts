import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Issue } from '../core/issue.ts';
import { nearestName } from '../core/nearest.ts';

/** What is wrong with `render.template`, so far as no model is needed to tell. */
export async function templateIssues(file: string): Promise<readonly Issue[]> {
  if (existsSync(file)) return [];
  const near = nearestName(basename(file), await readdir(dirname(file)).catch(() => []));
  return [
    {
      ...{ code: 'file-unreadable', severity: 'error', path: ['render', 'template'] },
      message: `there is no ${file}.`,
      fix:
        near === undefined
          ? 'Check the path, which starts at the recipe; `model` is the own one of the base.'
          : `Did you mean ${near}?`,
    },
  ];
}
