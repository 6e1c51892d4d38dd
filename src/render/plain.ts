import type { EncodeRequest } from './encode-sample.ts';
import { type ChatTemplateProgram, compileTemplate } from './template.ts';

/** What a plain text is written in: the token that begins a text, where the model's own template has it, and the one that ends it. */
export function plainTemplate(chatTemplate: string): ChatTemplateProgram {
  const begin = /\bbos_token\b/.test(chatTemplate) ? '{{ bos_token }}' : '';
  return compileTemplate(
    `${begin}{% for message in messages %}{% if message.content is string %}{{ message.content }}{% else %}` +
      `{% for part in message.content %}{% if part.type != 'text' %}` +
      `{{ raise_exception('a plain text holds no ' ~ part.type) }}{% endif %}{{ part.text }}{% endfor %}{% endif %}` +
      `{{ eos_token }}{% endfor %}`,
  );
}

/** The same request for text that is learned as it stands: no chat template, no system message, no tools. */
export function plainRequest(
  request: EncodeRequest,
  { template, messages }: Pick<EncodeRequest, 'template' | 'messages'>,
): EncodeRequest {
  const { tools: _, variables: __, weights: ___, ...rest } = request;
  return { ...rest, template, messages, learn: 'all' };
}
