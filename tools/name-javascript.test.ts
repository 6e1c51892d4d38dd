import { expect, test } from 'vitest';
import { nameJavaScript } from './name-javascript.ts';

test.each([
  ["import type { A } from './a.ts';", "import type { A } from './a.js';"],
  ["export * from '../b/c.ts';", "export * from '../b/c.js';"],
  ["import './side.ts';", "import './side.js';"],
  ["declare const t: import('./a.ts').A;", "declare const t: import('./a.js').A;"],
  ["new Worker(new URL('./worker.ts', import.meta.url))", "new Worker(new URL('./worker.js', import.meta.url))"],
  ["throw new Error('write ./a.ts first');", "throw new Error('write ./a.ts first');"],
  ["import ts from 'package/a.ts';", "import ts from 'package/a.ts';"],
])('%s', (from, to) => {
  expect(nameJavaScript(from)).toBe(to);
});
