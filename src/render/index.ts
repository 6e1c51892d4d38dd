/** From messages to the exact tokens, and which of them are learned. */
export { applyAgent, parseAnswer } from './agent/agent.ts';
export type { ParsedAnswer, ParsedCall } from './agent/format.ts';
export { type ToolCalls, toolCallsOf } from './agent/tool-calls.ts';
export { checkConformance, type Finding, firstDifference, type GateCheck, type TokenWindow } from './conformance.ts';
export { encodeRow, type Rewritten, type RowDocument, type RowRequest, type RowResult } from './encode-row.ts';
export {
  type EncodedPrompt,
  type EncodedSample,
  type EncodedTurn,
  type EncodeRequest,
  type EncodeResult,
  encodePrompt,
  encodeSample,
  type PlacedLookalike,
  type PromptRequest,
  renderPrompt,
  type TokenOrigin,
} from './encode-sample.ts';
export type { ControlTokens, Lookalike } from './encode-text.ts';
export { type FormatOptions, formatTokens, tokensLegend } from './format-tokens.ts';
export { parseJson } from './jinja/json.ts';
export { Float } from './jinja/value.ts';
export { plainOrText } from './json-text.ts';
export type { OwnWeight } from './learn-rules.ts';
export type { ChatMessage, MessageField, TemplateData } from './messages.ts';
export { parseTemplateData } from './ordered-json.ts';
export { type EncodedPart, partOfEncoded } from './part-of-encoded.ts';
export { plainRequest, plainTemplate } from './plain.ts';
export { prepareTools } from './prepare.ts';
export { type RenderedRow, type RenderRowOptions, renderRow } from './render-row.ts';
export {
  type ChatTemplateProgram,
  compileTemplate,
  type RenderInput,
  type Rendering,
  renderChat,
  type Span,
  type SpanSource,
} from './template.ts';
export { type PageRow, tokensPage } from './tokens-page.ts';
