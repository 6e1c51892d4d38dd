import { afterAll, describe, expect, test } from 'vitest';
import { inspectSources } from './inspect-sources.ts';
import { chat, dataValues, request, source, testFolder } from './test-rows.ts';

const files = testFolder();
afterAll(() => files.remove());
let count = 0;

async function inspect(rows: readonly unknown[], more: { shown?: number; most?: number } = {}) {
  const file = files.write(`inspect-${count++}.jsonl`, rows);
  const [inspection] = await inspectSources({ ...request(dataValues([source(file)])), shown: 3, ...more });
  if (!inspection) throw new Error('no inspection');
  return { ...inspection, file };
}

describe('an inspection', () => {
  test('says the format and why, and what each column is', async () => {
    const { format, why, columns, rows, isAll } = await inspect([
      { prompt: 'q', completion: 'a', tools: '[]', grade: 1, note: null },
      { prompt: 'q2', completion: 'b', grade: 1.5 },
    ]);
    expect({ format, why, rows, isAll }).toEqual({
      format: 'query',
      why: 'the rows have prompt as query, completion as response',
      rows: 2,
      isAll: true,
    });
    expect(columns).toEqual([
      { name: 'prompt', types: { text: 2 }, nulls: 0, readAs: 'query' },
      { name: 'completion', types: { text: 2 }, nulls: 0, readAs: 'response' },
      { name: 'tools', types: { 'JSON text': 1 }, nulls: 0.5, readAs: 'tools' },
      { name: 'grade', types: { integer: 1, number: 1 }, nulls: 0, readAs: null },
      { name: 'note', types: {}, nulls: 1, readAs: null },
    ]);
  });

  test('measures what is kept', async () => {
    const long = { messages: [{ role: 'system', content: '1234567' }, ...chat('123', '12345').messages] };
    const { roles, turns, characters, parts, samples } = await inspect(
      [chat('1', '2'), chat('1', '3', { rejected: '4' }), long],
      { shown: 2 },
    );
    expect(roles).toEqual({ user: 3, assistant: 3, system: 1 });
    expect(turns).toEqual({ least: 2, median: 2, nineOfTen: 3, most: 3 });
    expect(characters).toEqual({ least: 2, median: 2, nineOfTen: 15, most: 15 });
    expect(parts).toEqual({ rejected: 1 });
    expect(samples.map(({ provenance }) => provenance.line)).toEqual([1, 2]);
  });

  test('tells what is left out, what is changed and what may not be meant', async () => {
    const { fates, leftOut, changes, warnings, file } = await inspect([
      chat('1', 'a'),
      chat('1', 'a'),
      chat('2', ''),
      chat('3', 'a', { id: 12345678901234567890n.toString(), rejected_response: 'b', context: 'c' }),
      { messages: [{ role: 'user', content: '<image>?' }] },
      {
        messages: [
          { role: 'user', content: 'q', audio: 1 },
          { role: 'assistant', content: 'a' },
        ],
      },
      '{',
    ]);
    expect(fates).toEqual({ train: 4, duplicate: 1, invalid: 2 });
    expect(leftOut.map(({ what, rows }) => [what, rows])).toEqual([
      ['duplicate', 1],
      ['empty-answer', 1],
      ['not-json', 1],
    ]);
    expect(leftOut[0]?.first).toContain(`${file}:2 the same content as`);
    expect(changes).toEqual([
      { what: 'messages[n].audio left out', rows: 1, first: `${file}:6 messages[0].audio left out` },
    ]);
    expect(warnings).toEqual([
      expect.stringContaining('1 row with <image>, <video> or <audio> in the text'),
      expect.stringMatching(/1 row without an answer: .*the first: .*:\d+$/),
      expect.stringContaining('1 row with a rejected answer: sft trains on the chosen one'),
      expect.stringContaining('not read, only kept in extra: id, context'),
    ]);
  });

  test('looks at the first rows alone, and says so', async () => {
    const { rows, isAll } = await inspect([chat('1'), chat('2'), chat('3')], { most: 2 });
    expect({ rows, isAll }).toEqual({ rows: 2, isAll: false });
  });
});
