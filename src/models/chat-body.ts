import type { Json } from '../schema/common.ts';
import type { ContentPart, Message } from '../schema/sample.ts';
import type { ChatBody } from '../spec/prompt-engine.ts';
import type { Conversation } from './encoder.ts';

type Member = { readonly [member: string]: Json };

/** A row's conversation as a client of the OpenAI API would ask it; what says how to learn stays behind. */
export function chatBody({ messages, tools, variables }: Conversation): ChatBody {
  return {
    messages: messages.map(messageOf),
    ...(tools && tools.length > 0 && { tools }),
    ...(variables && { chat_template_kwargs: variables }),
  };
}

function messageOf({ learn: _, weight: __, content, tool_calls: calls, ...rest }: Message): Member {
  return {
    ...(rest as Member),
    content: Array.isArray(content) ? content.map(partOf) : (content as Json),
    ...(calls && {
      tool_calls: calls.map(({ id, type, function: { name, arguments: given } }): Member => {
        const text = typeof given === 'string' ? given : JSON.stringify(given);
        return { ...(id !== undefined && { id }), type, function: { name, arguments: text } };
      }),
    }),
  };
}

function partOf(part: ContentPart): Member {
  switch (part.type) {
    case 'text':
      return part;
    case 'image':
      return { type: 'image_url', image_url: { url: part.image } };
    case 'audio':
      return { type: 'input_audio', input_audio: { data: part.audio } };
    case 'video':
      return { type: 'video_url', video_url: { url: part.video } };
  }
}

/** The body as it is posted: a tool's definition that is kept as JSON text goes out as it was written. */
export function chatBodyText({ tools, ...body }: ChatBody, fields: Member = {}): string {
  const text = JSON.stringify({ ...fields, ...body });
  if (!tools) return text;
  const definitions = tools.map((tool) => (typeof tool === 'string' ? tool : JSON.stringify(tool)));
  return `${text.slice(0, -1)},"tools":[${definitions.join(',')}]}`;
}
