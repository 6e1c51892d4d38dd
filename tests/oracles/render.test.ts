import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compileTemplate, renderRow } from '../../src/render/index.ts';
import { describeWithOracles, oracle } from '../support/oracle.ts';
import { conversations } from './conversations.ts';

const now = '2026-03-05T14:07:09';
const folder = new URL('../../src/render/goldens/templates/', import.meta.url);

/** What rows may hold that a conversation seldom does: numbers, orders of keys and variables of their own. */
const rows = [
  '{"messages": [{"role": "user", "content": "a", "b": {"2": 1.0, "1": 1e-7, "x": 12345678901234567890}}], "tools": [], "documents": []}',
  '{"messages": [], "add_generation_prompt": 1, "enable_thinking": false, "bos_token": null}',
  '{"messages": [{"content": "no role"}, {"role": "user", "content": null}, {"role": 3, "content": [1, 2.50, {"type": "text", "text": "\\ud83d"}]}]}',
  '{"messages": [{"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": "{\\"a\\": 1.0}"}}], "learn": true}], "add_generation_prompt": "yes"}',
];

describeWithOracles('martlet render', () => {
  test('gives the text of Python, or fails where it fails', async () => {
    const all = [...rows, ...conversations().values()];
    const own = [
      "{{ messages | tojson }}{{ tools }}{{ documents }}{{ add_generation_prompt }}{{ strftime_now('%d %B') }}{{ nothing is defined }}",
    ];
    const sources = [...own, ...readdirSync(folder).map((file) => readFileSync(new URL(file, folder), 'utf8'))];
    let texts = 0;
    for (const row of all) {
      // As transformers calls a template, these are always defined.
      const variables = JSON.stringify({ tools: null, documents: null, add_generation_prompt: false }).slice(0, -1);
      const request = { templates: sources, variables: `${variables}, ${row.trim().slice(1)}`, now };
      const { results } = await oracle<{ results: ({ text: string } | { error: string })[] }>('jinja_golden', request);
      sources.forEach((source, index) => {
        const { text, error, spans } = renderRow(row, { template: compileTemplate(source), now: new Date(`${now}Z`) });
        const theirs = results[index];
        expect(error === null ? { text } : 'error', `${row.slice(0, 200)}\n${source.slice(0, 200)}`).toEqual(
          theirs && 'text' in theirs ? { text: theirs.text } : 'error',
        );
        if (text === null) return;
        texts++;
        expect(spans.map(({ start, end }) => text.slice(start, end)).join('')).toBe(text);
      });
    }
    expect(texts).toBeGreaterThan(all.length * 5);
  });
});
