import { afterAll, describe, expect, test } from 'vitest';
import { randomStream } from '../../core/random.ts';
import type { Json } from '../../schema/common.ts';
import type { Message, Sample } from '../../schema/sample.ts';
import { languages } from '../../schema/steps.ts';
import { testFolder } from '../test-rows.ts';
import { chat, openedStep as opened, row, say } from '../test-samples.ts';
import { cleanText } from './clean.ts';
import { htmlToText } from './html-text.ts';
import { mendEncoding } from './mend-encoding.ts';
import { agreement, bandRows, minHash } from './minhash.ts';
import { findPersonal, isCard, isChineseId, isFrenchId, isIban, isItalianCode, isSpanishId } from './personal-data.ts';
import { quotasOf } from './sample.ts';
import { comparedWords } from './texts.ts';

const files = testFolder();
afterAll(() => files.remove());

describe('map', () => {
  test('sets columns by expression, renames and removes, all from the row as it was', async () => {
    const step = await opened({
      step: 'map',
      set: { answer: 'answer | trim ~ "!"', level: '[score, score * 2]', score: 'score + 1' },
      rename: { theme: 'topic' },
      remove: ['junk'],
    });
    const verdict = step.apply(chat('q', ' a ', { extra: { score: 3, theme: 'x', junk: 0 } }));
    expect(verdict?.sample?.messages[1]?.content).toBe('a!');
    expect(verdict?.sample?.extra).toEqual({ score: 4, level: [3, 6], topic: 'x' });
    expect(verdict?.changes).toEqual(['theme is now topic', 'answer set', 'level set', 'score set', 'junk taken out']);
  });

  test('takes out an answer, or makes it another column', async () => {
    const removed = (await opened({ step: 'map', remove: ['answer'] })).apply(chat('q', 'a'));
    expect(removed).toMatchObject({ sample: { messages: [say('user', 'q')] }, changes: ['answer taken out'] });
    const renamed = (await opened({ step: 'map', rename: { answer: 'solution' } })).apply(chat('q', 'a'));
    expect(renamed?.sample).toMatchObject({ messages: [say('user', 'q')], solution: 'a' });
    expect(renamed?.sample?.messages).toHaveLength(1);
  });

  test('leaves a row alone that stays the same, and loses one loudly whose expression fails', async () => {
    expect((await opened({ step: 'map', set: { answer: 'answer' } })).apply(chat('q', 'a'))).toBeNull();
    const failing = await opened({ step: 'map', set: { x: 'question + 1' } });
    expect(failing.apply(chat('q', 'a'))?.drop).toMatchObject({ fate: 'invalid', code: 'expression-failed' });
    const none = await opened({ step: 'map', set: { messages: '[]' } });
    expect(none.apply(chat('q', 'a'))?.drop).toMatchObject({ fate: 'invalid', code: 'not-a-row' });
  });

  test('says what may be written where a column is not there, or a text is compared with a number', async () => {
    const reason = async (keep: string, extra: Sample['extra']) =>
      (await opened({ step: 'filter', keep })).apply(chat('q', 'a', { extra }))?.drop?.reason;
    expect(await reason('score >= 3', {})).toMatch(/'score' is undefined; write score is not defined or score >= 3$/);
    expect(await reason("score > 1 and answer != 'x'", {})).toMatch(
      /write score is not defined or \(score > 1 and answer != 'x'\)$/,
    );
    expect(await reason('rating >= 3', { rating: '4' })).toMatch(/write a text as a number: rating \| int >= 3$/);
    const { drop } = (await opened({ step: 'map', set: { a: 'b + 1' } })).apply(chat('q', 'a')) ?? {};
    expect(drop?.reason).toMatch(/write b \| default\(''\)$/);
  });

  test("reads a column whose name is no word as row['its name'], and knows when no row has it", async () => {
    const filter = await opened({ step: 'filter', keep: "row['Ref No.'] | int > 2 and row.town == 'x'" });
    expect(filter.apply(chat('q', 'a', { extra: { 'Ref No.': '3', town: 'x' } }))).toBeNull();
    expect(filter.apply(chat('q', 'a', { extra: { 'Ref No.': '1', town: 'x' } }))?.drop?.fate).toBe('filtered');
    const asked = await opened({ step: 'filter', keep: "row['Ref No'] is not defined" });
    expect(asked.apply(chat('q', 'a', { extra: { 'Ref No.': '3' } }))).toBeNull();
    const missed = await opened({ step: 'filter', keep: "row['Ref No'] != 3" });
    expect(missed.apply(chat('q', 'a', { extra: { 'Ref No.': '3' } }))?.lacks).toEqual({
      'Ref No': 'Did you mean Ref No.?',
    });
    // A column of that name is itself.
    const own = await opened({ step: 'filter', keep: 'row == 7' });
    expect(own.apply(chat('q', 'a', { extra: { row: 7 } }))).toBeNull();
  });

  test('does not touch where a row came from, and refuses what is no expression', async () => {
    await expect(opened({ step: 'map', set: { source: '"x"' } })).rejects.toMatchObject({
      issues: [{ code: 'column-fixed', path: ['data', 'steps', 0] }],
    });
    await expect(opened({ step: 'map', set: { a: 'answer |' } })).rejects.toMatchObject({
      issues: [{ code: 'expression-syntax' }],
    });
  });
});

test('filter keeps rows for which its expression holds', async () => {
  const step = await opened({ step: 'filter', keep: 'score >= 3 and answer | length > 2' });
  expect(step.apply(chat('q', 'long', { extra: { score: 3 } }))).toBeNull();
  expect(step.apply(chat('q', 'a', { extra: { score: 9 } }))?.drop).toMatchObject({ fate: 'filtered' });
  expect(step.apply(chat('q', 'long'))?.drop).toMatchObject({ fate: 'invalid' });
});

describe('clean', () => {
  const all = { controls: true, encoding: true, html: true, whitespace: true };

  test('says of each text what was wrong with it', () => {
    expect(cleanText('a\u0000b\u200bc  \r\n\n\n\nd\n', all)).toEqual({
      text: 'abc\n\nd',
      done: ['2 control characters taken out', 'white space tidied'],
    });
    expect(cleanText('Ünïcode 👩‍👩‍👧 שלום\n\tcode', all).done).toEqual([]);
  });

  test('mends misread UTF-8 once, twice over, and leaves what is right', () => {
    const misread = (text: string): string => Buffer.from(text).toString('latin1');
    for (const text of ['café', 'naïve – “quotes”', 'Übergröße', '東京', '👍 done'])
      expect(mendEncoding(misread(text))).toBe(text);
    expect(mendEncoding(misread(misread('Zoë')))).toBe('Zoë');
    expect(mendEncoding('donâ€™t')).toBe('don’t');
    for (const right of ['café ÀÉÎ', 'Ã', 'São Tomé', '«Ça va»', '5 × 3 ÷ 2', 'Åland – Ærø'])
      expect(mendEncoding(right)).toBe(right);
  });

  test('turns HTML into what a reader sees, and keeps what only looks like it', () => {
    expect(htmlToText('<p>One &amp; <b>two</b></p><script>x()</script><ul><li>a<li>b</ul>&#x1F600;&eacute;')).toBe(
      'One & two\n\n- a\n- b\n😀é',
    );
    for (const code of ['if (a < b && c > d) List<String> x;', 'AT&T; &unknown;', '#include <stdio.h>'])
      expect(htmlToText(code)).toBe(code);
  });

  test('loses a row loudly of whose answer nothing is left', async () => {
    const step = await opened({ step: 'clean' });
    expect(step.apply(chat('q', '\u0000 \u200b'))?.drop).toMatchObject({ fate: 'invalid', code: 'empty-answer' });
  });
});

describe('length', () => {
  const talk = row([
    say('system', 'be brief'),
    say('user', 'first question'),
    say('assistant', 'first answer'),
    say('user', 'second question'),
    say('assistant', 'second answer'),
  ]);

  test('cuts whole exchanges from the front, and no system message', async () => {
    const verdict = (await opened({ step: 'length', maxTurns: 3, cut: 'early-turns' })).apply(talk);
    expect(verdict?.truncated).toBe(true);
    expect(verdict?.sample?.messages.map(({ content }) => content)).toEqual([
      'be brief',
      'second question',
      'second answer',
    ]);
  });

  test.each(['early-turns', 'prompt-start', 'prompt-end', 'drop', 'refuse'])(
    'never cuts an answer: %s',
    async (cut) => {
      const random = randomStream(5);
      for (let round = 0; round < 200; round++) {
        const text = (): string =>
          Array.from({ length: random.below(40) }, () => 'x👍é '[random.below(4)] ?? '')
            .join('')
            .toWellFormed();
        const given = row([
          say('user', `q${text()}`),
          say('assistant', text()),
          say('user', text()),
          say('assistant', `a${text()}`),
        ]);
        const maxCharacters = 1 + random.below(120);
        const verdict = (await opened({ step: 'length', maxCharacters, cut })).apply(given);
        const size = (sample: Sample): number =>
          sample.messages.reduce((sum, { content }) => sum + String(content).length, 0);
        if (verdict === null) expect(size(given)).toBeLessThanOrEqual(maxCharacters);
        if (verdict?.drop)
          expect(verdict.drop).toMatchObject({ code: 'too-long', fate: cut === 'refuse' ? 'invalid' : 'filtered' });
        if (!verdict?.sample) continue;
        expect(size(verdict.sample)).toBeLessThanOrEqual(maxCharacters);
        const answers = verdict.sample.messages.filter(({ role }) => role === 'assistant');
        for (const answer of answers) expect(given.messages).toContainEqual(answer);
        expect(answers.at(-1)).toEqual(given.messages.at(-1));
        for (const { content } of verdict.sample.messages) expect(String(content).isWellFormed()).toBe(true);
      }
    },
  );

  test('drops what is too short', async () => {
    const step = await opened({ step: 'length', minCharacters: 10, minTurns: 2 });
    expect(step.apply(chat('q', 'a'))?.drop).toMatchObject({ fate: 'filtered', code: 'too-short' });
    expect(step.apply(chat('a long question', 'a'))).toBeNull();
  });
});

describe('language', () => {
  const french = chat('Comment cuire un œuf ?', 'Faites-le bouillir pendant huit minutes.');
  const german = chat('Wie koche ich ein Ei zum Frühstück?', 'Acht Minuten in kochendem Wasser.');
  const sum = chat('12 + 3', '15');

  test('keeps rows of some languages, and says which a row is in', async () => {
    const step = await opened({ step: 'language', keep: ['de', 'en'], column: 'language' });
    expect(step.apply(french)?.drop).toMatchObject({ code: 'other-language', reason: 'is in fr; kept: de, en' });
    expect(step.apply(german)).toMatchObject({ sample: { extra: { language: 'de' } }, changes: ['is in de'] });
    expect(step.apply(sum)?.sample?.extra).toEqual({ language: null });
    const strict = await opened({ step: 'language', keep: ['de'], unsure: 'drop' });
    expect(strict.apply(sum)?.drop?.code).toBe('language-unsure');
    expect(strict.apply(german)).toBeNull();
    expect((await opened({ step: 'language' })).apply(french)).toEqual({ changes: ['is in fr'] });
  });

  test('looks at the answer alone where that is asked', async () => {
    const mixed = chat('Translate to French: How do I cook an egg?', 'Comment faire cuire un œuf ?');
    const found = async (of: string) => (await opened({ step: 'language', of })).apply(mixed)?.changes;
    expect(await found('question')).toEqual(['is in en']);
    expect(await found('answer')).toEqual(['is in fr']);
  });

  test('names the languages that are told apart', async () => {
    const { eld } = await import('eld/extrasmall');
    expect(Object.values(eld.info().Languages)).toEqual(languages);
  });
});

describe('personal data', () => {
  const all = new Set(['email', 'phone', 'iban', 'card', 'ip', 'national-id'] as const);
  const found = (text: string) =>
    findPersonal(text, all).map(({ kind, start, end }) => `${kind} ${text.slice(start, end)}`);

  // Published examples: ECBS for IBANs, the schemes' test numbers for cards.
  test.each([
    ['write to a.b+c@mail.example.org.', ['email a.b+c@mail.example.org']],
    ['IBAN DE89 3704 0044 0532 0130 00 AND MORE', ['iban DE89 3704 0044 0532 0130 00']],
    ['GB82WEST12345698765432', ['iban GB82WEST12345698765432']],
    ['card 4111 1111 1111 1111, or 378282246310005', ['card 4111 1111 1111 1111', 'card 378282246310005']],
    ['from 8.8.8.8 and 2a00:1450:4001:81b::200e', ['ip 8.8.8.8', 'ip 2a00:1450:4001:81b::200e']],
    ['call +44 20 7946 0958 or (415) 555-2671', ['phone +44 20 7946 0958', 'phone (415) 555-2671']],
    ['id 11010519491231002X', ['national-id 11010519491231002X']],
    ['DNI 12345678Z', ['national-id 12345678Z']],
    ['SSN 078-05-1120, host 10.0.19.1', ['national-id 078-05-1120', 'ip 10.0.19.1']],
  ])('finds %s', (text, kinds) => expect(found(text)).toEqual(kinds));

  test.each([
    'IBAN DE89 3704 0044 0532 0130 01',
    'number 4111 1111 1111 1112',
    'version 1.2.3.400 of 127.0.0.1',
    'profit of 1,234,567,890,123 in 2024-2025',
    'DNI 12345678A and 110105194912310021',
    'at 10:30:45 on 2024-11-23, ratio 16:9, std::vector',
    'user@localhost @handle',
    'SSN 666-05-1120, 900-05-1120, 078-00-1120, part 1-078-05-1120-3',
    'built with version 10.0.19.1, release: 2.4.0.11 and v1.2.3.4',
  ])('leaves alone %s', (text) => expect(found(text)).toEqual([]));

  test('one digit changed breaks every checksum', () => {
    const valid: readonly [(text: string) => boolean, string][] = [
      [isIban, 'FR1420041010050500013M02606'],
      [isCard, '5555555555554444'],
      [isChineseId, '11010519491231002X'],
      [isSpanishId, 'X1234567L'],
      [isFrenchId, '255081416802538'],
      [isItalianCode, 'RSSMRA85T10A562S'],
    ];
    for (const [isOne, text] of valid) {
      expect(isOne(text), text).toBe(true);
      const last = text.search(/\d(?=\D*$)/);
      const wrong = `${text.slice(0, last)}${(Number(text[last]) + 1) % 10}${text.slice(last + 1)}`;
      expect(isOne(wrong), wrong).toBe(false);
    }
  });

  test('is reported, masked or a reason to drop; the ledger never holds it', async () => {
    const given = chat('mail bob@example.org', 'from 8.8.8.8');
    const report = (await opened({ step: 'personal' })).apply(given);
    expect(report).toEqual({
      changes: ['messages[0].content: email at character 6', 'messages[1].content: ip at character 6'],
    });
    const masked = (await opened({ step: 'personal', action: 'mask', kinds: ['email'] })).apply(given);
    expect(masked?.sample?.messages.map(({ content }) => content)).toEqual(['mail [email]', 'from 8.8.8.8']);
    const drop = (await opened({ step: 'personal', action: 'drop' })).apply(given);
    expect(JSON.stringify([report, masked?.changes, drop])).not.toMatch(/bob|8\.8/);
  });
});

test('a step that leaves an answer without a word loses the row', async () => {
  const lost = (where: string) => ({
    drop: { fate: 'invalid', code: 'empty-answer', reason: expect.stringContaining(where) },
  });
  for (const set of ['""', '" "', 'none'])
    expect((await opened({ step: 'map', set: { answer: set } })).apply(chat('q', 'a')), set).toMatchObject(
      lost('map leaves the answer empty: messages[1]'),
    );
  const rejected = [say('assistant', '\u200b')];
  expect((await opened({ step: 'clean' })).apply(chat('q', 'a', { rejected }))).toMatchObject(lost('rejected[0]'));
  const calls = chat('q', '\u200b');
  const [asked, answer] = calls.messages as [Message, Message];
  const call = { type: 'function' as const, function: { name: 'f', arguments: {} } };
  const called = row([asked, { ...answer, tool_calls: [call] }]);
  expect((await opened({ step: 'clean' })).apply(called)?.drop).toBeUndefined();
});

test('personal data in calls of tools is masked value by value: names and JSON stay', async () => {
  const call = (given: Json): Message => ({
    ...say('assistant', ''),
    tool_calls: [{ type: 'function', function: { name: 'mail', arguments: given as string } }],
  });
  const given = row([
    say('user', 'Mail it'),
    call({ to: ['bob@example.org'], 'ann@example.org': 1.5, card: 4111111111111111 }),
    call('{"to" : "a\\nbob@example.org", "rate": 1.0}'),
    say('tool', '{"bob@example.org": "\\tbob@example.org", "ok": true}'),
    call('bob@example.org'),
  ]);
  const masked = (await opened({ step: 'personal', action: 'mask' })).apply(given);
  const messages = masked?.sample?.messages ?? [];
  expect(messages.map((message) => message.tool_calls?.[0]?.function.arguments ?? message.content)).toEqual([
    'Mail it',
    { to: ['[email]'], 'ann@example.org': 1.5, card: '[card]' },
    '{"to" : "a\\n[email]", "rate": 1.0}',
    '{"bob@example.org": "\\t[email]", "ok": true}',
    '[email]',
  ]);
  expect(messages[1]?.tool_calls?.[0]?.function.name).toBe('mail');
  expect(masked?.changes?.slice(0, 3)).toEqual([
    'messages[1].tool_calls[0].function.arguments.to[0]: email at character 1 masked',
    'messages[1].tool_calls[0].function.arguments.card: card at character 1 masked',
    'messages[2].tool_calls[0].function.arguments: value at character 9: email at character 3 masked',
  ]);
  const drop = (await opened({ step: 'personal', action: 'drop' })).apply(given);
  expect(drop?.drop?.reason).toBe('holds personal data: 4 email, 1 card');
});

test('self-cognition fills in who the model is, by the language of the row', async () => {
  const step = await opened({ step: 'self-cognition', modelName: { zh: '马丁', en: 'Martin' }, author: 'Ann' });
  const answer = (question: string) =>
    step.apply(chat(question, 'I am {{NAME}} by {{AUTHOR}}'))?.sample?.messages[1]?.content;
  expect([answer('who?'), answer('你是谁')]).toEqual(['I am Martin by Ann', 'I am 马丁 by Ann']);
  expect(step.apply(chat('q', 'a'))).toBeNull();
});

describe('near duplicates', () => {
  test('signatures agree as often as their texts are alike', () => {
    const random = randomStream(3);
    const hasher = minHash({ words: 3, permutations: 256, seed: 1 });
    const signature = (words: readonly string[]): Uint32Array => {
      const into = new Uint32Array(256);
      hasher.signature(words, into);
      return into;
    };
    const groups = (words: readonly string[]) => new Set(words.slice(2).map((_, i) => words.slice(i, i + 3).join(' ')));
    let worst = 0;
    for (let round = 0; round < 60; round++) {
      const words = Array.from({ length: 120 }, () => `w${random.below(5000)}`);
      const other = words.map((word) => (random.uniform() < round / 200 ? `x${random.below(5000)}` : word));
      const [a, b] = [groups(words), groups(other)];
      const common = [...a].filter((group) => b.has(group)).length;
      const jaccard = common / (a.size + b.size - common);
      worst = Math.max(worst, Math.abs(agreement(signature(words), signature(other)) - jaccard));
    }
    // Four deviations of an estimate from 256 draws: 4 · sqrt(0.25 / 256).
    expect(worst).toBeLessThan(0.125);
  });

  test('bands find what is of the threshold with a probability of 0.95', () => {
    for (const threshold of [0.5, 0.7, 0.8, 0.9, 1]) {
      const rows = bandRows(128, threshold);
      expect(1 - (1 - threshold ** rows) ** Math.floor(128 / rows)).toBeGreaterThanOrEqual(0.95);
    }
    expect(bandRows(128, 0.8)).toBeGreaterThan(4);
  });

  test('words of scripts without spaces stand by themselves', () => {
    expect(comparedWords('Hello, WORLD 3.5 東京 ok')).toEqual(['hello', 'world', '3', '5', '東', '京', 'ok']);
  });
});

describe('sampling', () => {
  const counts = new Map([
    ['a.jsonl', 1000],
    ['b.jsonl', 100],
    ['/x/c.jsonl', 10],
  ]);
  const parts = (options: Parameters<typeof quotasOf>[1]) => [...quotasOf(counts, options).values()];

  test('keeps the weights exactly where rows suffice, and takes no row twice', () => {
    expect(parts({ weights: { 'a.jsonl': 5, 'b.jsonl': 5, 'c.jsonl': 0 } })).toEqual([100, 100, 0]);
    expect(parts({ weights: { 'a.jsonl': 2, 'b.jsonl': 1, 'c.jsonl': 1 }, rows: 40 })).toEqual([20, 10, 10]);
    expect(parts({ share: 0.1 })).toEqual([100, 10, 1]);
    expect(parts({})).toEqual([1000, 100, 10]);
  });

  test('evens out with the temperature', () => {
    const [a = 0, b = 0, c = 0] = parts({ temperature: 2 });
    expect(c).toBe(10);
    expect(a / c).toBeCloseTo(10, 0);
    expect(b / c).toBeCloseTo(Math.sqrt(10), 0);
  });

  test('names the nearest where no source is called so', () => {
    expect(() => parts({ weights: { 'd.jsonl': 1 } })).toThrow(expect.objectContaining({ code: 'source-unknown' }));
  });
});
