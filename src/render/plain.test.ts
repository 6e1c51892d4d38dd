import { expect, test } from 'vitest';
import { checkConformance } from './conformance.ts';
import { type EncodeRequest, encodeSample } from './encode-sample.ts';
import { plainRequest, plainTemplate } from './plain.ts';
import { testTokenizer } from './test-tokenizer.ts';

const tokenizer = testTokenizer({ special: ['<s>', '</s>'] });
const chat = '{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}{{ eos_token }}{% endfor %}';
const said = 'The swift sleeps.';

function request(chatTemplate: string, content: unknown = said): EncodeRequest {
  const template = plainTemplate(chatTemplate);
  const messages = [{ role: 'assistant', content }] as EncodeRequest['messages'];
  const whole: EncodeRequest = {
    template,
    tokenizer,
    messages: [],
    tools: [{ name: 'f' }],
    variables: { enable_thinking: true },
    specialTokens: { bos_token: '<s>', eos_token: '</s>' },
    learn: 'last',
    stopTokens: [tokenizer.idOf('</s>') ?? -1],
  };
  return plainRequest(whole, { template, messages });
}

test('a plain text is learned whole, with the token that ends it', () => {
  const result = encodeSample(request(chat));
  if (!result.ok) throw new Error(JSON.stringify(result.issues));
  const { text, weights, ids } = result.value;
  expect(text).toBe(`<s>${said}</s>`);
  // Nothing predicts the first token, whatever its weight.
  expect([...weights].slice(1)).toEqual(new Array(ids.length - 1).fill(1));
  expect(checkConformance(request(chat))).toEqual([]);
});

test('a model whose template begins with no token gets none', () => {
  const result = encodeSample(request('{{ messages[0].content }}'));
  expect(result.ok && result.value.text).toBe(`${said}</s>`);
  expect(result.ok && [...result.value.weights].every((weight) => weight === 1)).toBe(true);
});

test('text in parts is text; what a model of text cannot read is refused', () => {
  const parts = encodeSample(
    request(chat, [
      { type: 'text', text: 'a ' },
      { type: 'text', text: 'b' },
    ]),
  );
  expect(parts.ok ? parts.value.text : parts.issues).toBe('<s>a b</s>');
  const image = encodeSample(request(chat, [{ type: 'image', image: 'a.png' }]));
  expect(image.ok ? [] : image.issues).toMatchObject([
    { code: 'template-refused', message: expect.stringMatching(/no image/) },
  ]);
});
