import type { Json } from '../schema/common.ts';

/**
 * A serving engine that can say which ids it computes an answer behind: what the gate before training compares with
 * (`models/gate.ts`). vLLM and SGLang have such an endpoint; the contract every implementation keeps to is
 * `testing/prompt-engine-contract.ts`.
 */
export interface PromptEngine extends AsyncDisposable {
  /** As reports name it. */
  readonly name: string;
  /**
   * The ids of the prompt that this request comes to, generation prompt included.
   * @throws MartletError where the engine refuses the request; the gate reports it with the row
   */
  promptIds(request: ChatBody): Promise<readonly number[]>;
}

/** The part of a chat request that decides the prompt, as a client of the OpenAI API sends it. */
export interface ChatBody {
  readonly messages: readonly { readonly [member: string]: Json }[];
  readonly tools?: readonly Json[];
  /** More names for the template: `enable_thinking` ... */
  readonly chat_template_kwargs?: { readonly [name: string]: Json };
}
