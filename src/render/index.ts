/** From messages to the exact tokens, and which of them are learned. */
export { checkConformance } from './conformance.ts';
export {
  type EncodedPrompt,
  type EncodedSample,
  type EncodedTurn,
  type EncodeRequest,
  type EncodeResult,
  encodePrompt,
  encodeSample,
  type PromptRequest,
  type TokenOrigin,
} from './encode-sample.ts';
export type { Lookalike } from './encode-text.ts';
export { type FormatOptions, formatTokens } from './format-tokens.ts';
export { parseJson } from './jinja/json.ts';
export { Float } from './jinja/value.ts';
export type { LearnRule } from './learn.ts';
export type { ChatMessage, MessageField, TemplateData } from './messages.ts';
export {
  type ChatTemplateProgram,
  compileTemplate,
  type RenderInput,
  type Rendering,
  renderChat,
  type Span,
  type SpanSource,
} from './template.ts';
