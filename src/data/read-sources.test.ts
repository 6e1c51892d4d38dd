import { afterAll, describe, expect, test } from 'vitest';
import { chat, dataValues, outcomes, source, testFolder } from './test-rows.ts';

const files = testFolder();
afterAll(() => files.remove());

describe('fates', () => {
  test('a limit counts rows from the start, after those of other makers', async () => {
    const by = (maker: string) => ({ martlet: { by: maker } });
    const file = files.write('limit.jsonl', [
      chat('1', 'a', by('machine')),
      chat('2', 'a', by('quickstart')),
      chat('3'),
      chat('4'),
      'not json',
    ]);
    const read = await outcomes(dataValues([source(file, { limit: 2, madeBy: ['person', 'machine'] })]));
    expect(read.map(({ fate }) => fate)).toEqual(['train', 'filtered', 'train', 'limited', 'limited']);
    expect(read[1]?.reason).toMatch(/made by quickstart/);
  });

  test('an embargoed row waits until its day', async () => {
    const file = files.write('embargo.jsonl', [chat('q', 'a', { martlet: { embargo: '2026-11-24' } })]);
    const on = async (today: string) => (await outcomes(dataValues([source(file)]), { today }))[0]?.fate;
    expect(await on('2026-11-23')).toBe('embargoed');
    expect(await on('2026-11-24')).toBe('train');
  });

  test('a duplicate names the first row of its content, across sources and formats', async () => {
    const first = files.write('first.jsonl', [chat('0'), chat('q', 'a', { symbol: 'A' })]);
    const second = files.write('second.json', JSON.stringify([{ instruction: 'q', output: 'a' }]));
    const read = await outcomes(dataValues([source(first), source(second)]));
    expect(read[2]).toMatchObject({ fate: 'duplicate', reason: `the same content as ${first}:2`, id: read[1]?.id });
  });

  test('a licence of the source holds where the row has none', async () => {
    const file = files.write('licence.jsonl', [chat('1'), chat('2', 'a', { martlet: { licence: 'MIT' } })]);
    const read = await outcomes(dataValues([source(file, { licence: 'CC-BY-4.0' })]));
    expect(read.map(({ sample: kept }) => kept?.provenance.licence)).toEqual(['CC-BY-4.0', 'MIT']);
  });

  test('feedback is found through its resolver', async () => {
    const file = files.write('feedback.jsonl', [chat('q')]);
    const values = dataValues([source('feedback/desk@3')]);
    const [outcome] = await outcomes(values, {
      resolveFeedback: (address) => (address === 'feedback/desk@3' ? file : ''),
    });
    expect(outcome?.sample?.provenance).toMatchObject({ source: 'feedback/desk@3', file });
    await expect(outcomes(values)).rejects.toMatchObject({ code: 'feedback-unresolved' });
  });
});
