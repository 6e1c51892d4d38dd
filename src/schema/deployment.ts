import { z } from 'zod';
import { artefactAddress, json, sha256Hex, timestamp } from './common.ts';
import { toolCall } from './sample.ts';

/** `deployment.json`. */
export const deployment = z
  .strictObject({
    schema: z.literal('deployment/1').describe('Document kind and version.'),
    engine: z.string().describe('Engine and version.'),
    models: z
      .array(
        z.strictObject({
          name: z.string().describe('The name requests use.'),
          model: artefactAddress.nullable().describe('The exported model; null for the base itself.'),
          modelFingerprint: sha256Hex.describe('Fingerprint of the model, or of the base.'),
          planHash: sha256Hex.nullable().describe('The plan it was trained by; null for the base.'),
          base: z.string().describe('Folder of the base.'),
          adapter: z.string().nullable().describe('Folder of the adapter; null for none.'),
        }),
      )
      .describe('What is served, by name.'),
  })
  .describe('A deployment.');

/** One line of the captures log: an answer that was given. */
export const capture = z
  .strictObject({
    schema: z.literal('capture/1').describe('Document kind and version.'),
    id: z.string().describe('The answer id, as the client got it.'),
    at: timestamp,
    deployment: artefactAddress.describe('What answered.'),
    deploymentFingerprint: sha256Hex.describe('What it was.'),
    model: z.string().describe('The model name asked for.'),
    modelFingerprint: sha256Hex.describe('What it was.'),
    planHash: sha256Hex.nullable().describe('The plan it was trained by.'),
    requestDigest: sha256Hex.describe('Fingerprint of the request.'),
    request: json.describe('The request: messages, tools and sampling.'),
    row: z
      .strictObject({
        file: z.string().describe('The file or address it stands in.'),
        line: z.number().int().describe('Where in it, counted from 1.'),
      })
      .optional()
      .describe('The row of a batch that it answers; absent where a client asked a server.'),
    promptTokens: z.number().int().describe('Tokens of the prompt.'),
    completionTokens: z.number().int().describe('Tokens of the answer.'),
    answer: z.string().describe('What was answered, word for word.'),
    message: z
      .strictObject({
        content: z.string().describe('What it says beside its calls.'),
        toolCalls: z.array(toolCall).describe('The tools it calls.'),
      })
      .optional()
      .describe('The answer taken apart, where it calls tools.'),
    finishReason: z.string().describe('Why it ended.'),
    seconds: z.number().describe('Time taken.'),
  })
  .describe('A captured answer.');

export type Deployment = z.infer<typeof deployment>;
export type Capture = z.infer<typeof capture>;
