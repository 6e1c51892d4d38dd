import { issuesError } from '../core/error.ts';
import { chatBodyText } from '../models/chat-body.ts';
import type { Encoder } from '../models/encoder.ts';
import type { Json } from '../schema/common.ts';
import type { PromptEngine } from '../spec/prompt-engine.ts';
import { promptOf } from './ask.ts';
import { readChatRequest } from './chat-request.ts';

/** The prompts of `martlet serve`: what its gateway makes of the text of a request, down to the ids the engine is given. */
export function servedPrompts(encoder: Pick<Encoder, 'prompt'>): PromptEngine {
  return {
    name: 'embedded',
    async promptIds(body) {
      const text = chatBodyText(body, { model: 'base' });
      const read = readChatRequest(JSON.parse(text) as Json, text);
      if (!read.ok) throw issuesError('the request', read.issues);
      return promptOf(encoder, read.value);
    },
    async [Symbol.asyncDispose]() {},
  };
}
