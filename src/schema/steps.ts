import { z } from 'zod';
import { type FieldMeta, json } from './common.ts';

const field = <T extends z.ZodType>(schema: T, description: string, meta: FieldMeta = {}): T =>
  schema.meta({ description, ...meta }) as T;

const positiveInt = z.number().int().min(1);
const share = z.number().min(0).max(1);
const seed = field(z.number().int().min(0).max(0xffffffff).default(42), 'Decides what chance decides.', {
  tier: 'expert',
});
const expression = z.string().min(1);

export const personalKinds = ['email', 'phone', 'iban', 'card', 'ip', 'national-id'] as const;
export const lengthCuts = ['refuse', 'drop', 'early-turns', 'prompt-start', 'prompt-end'] as const;

const step = <Name extends string, Shape extends z.ZodRawShape>(
  ...[name, summary, shape]: [name: Name, summary: string, shape: Shape]
) => z.strictObject({ step: field(z.literal(name), summary), ...shape }).describe(summary);

const perLanguage = z
  .strictObject({
    zh: field(z.string().min(1), 'For rows in Chinese.'),
    en: field(z.string().min(1), 'For all others.'),
  })
  .describe('One for each language.');

/** ISO 639-1; those that the detector tells apart. */
export const languages = [
  ...(['am', 'ar', 'az', 'be', 'bg', 'bn', 'ca', 'cs', 'da', 'de', 'el', 'en', 'es', 'et', 'eu'] as const),
  ...(['fa', 'fi', 'fr', 'gu', 'he', 'hi', 'hr', 'hu', 'hy', 'is', 'it', 'ja', 'ka', 'kn', 'ko'] as const),
  ...(['ku', 'lo', 'lt', 'lv', 'ml', 'mr', 'ms', 'nl', 'no', 'or', 'pa', 'pl', 'pt', 'ro', 'ru'] as const),
  ...(['sk', 'sl', 'sq', 'sr', 'sv', 'ta', 'te', 'th', 'tl', 'tr', 'uk', 'ur', 'vi', 'yo', 'zh'] as const),
] as const;

/** What each step may be told. Defaults stand here and nowhere else. */
export const stepOptions = [
  step('map', 'Sets, renames and removes columns; expressions are those of chat templates.', {
    set: field(
      z.record(z.string(), expression).default({}),
      'For each column an expression over the others, such as answer: "answer | trim".',
    ),
    rename: field(z.record(z.string(), z.string().min(1)).default({}), 'For each column its new name.'),
    remove: field(z.array(z.string()).default([]), 'Columns taken out.'),
  }),
  step('filter', 'Keeps the rows for which an expression holds.', {
    keep: field(expression, 'An expression over the columns, such as "score >= 3 and answer | length > 20".'),
  }),
  step('clean', 'Mends texts: control characters, broken encodings, HTML, white space.', {
    controls: field(z.boolean().default(true), 'Takes out control and invisible characters.'),
    encoding: field(z.boolean().default(true), 'Mends UTF-8 that was read as Windows-1252, where that is certain.'),
    html: field(z.boolean().default(false), 'Turns HTML into text: tags go, entities become characters.'),
    whitespace: field(z.boolean().default(true), 'Spaces at line ends, more than two line ends, the ends of a text.'),
  }),
  step('duplicates', 'Drops rows that say the same as an earlier one.', {
    by: field(expression.optional(), 'An expression whose value is compared instead of the whole row.'),
  }),
  step('near-duplicates', 'Drops rows that resemble an earlier one (MinHash).', {
    threshold: field(
      z.number().min(0.1).max(1).default(0.8),
      'Share of word groups in common (Jaccard) from which on.',
    ),
    words: field(positiveInt.max(50).default(5), 'Words in a group.', { tier: 'expert' }),
    permutations: field(z.number().int().min(16).max(512).default(128), 'Numbers in a signature.', { tier: 'expert' }),
    seed,
  }),
  step('length', 'Holds rows to a length in characters or turns; never cuts an answer.', {
    maxCharacters: field(positiveInt.optional(), 'Most characters of all texts together.', { unit: 'characters' }),
    minCharacters: field(positiveInt.optional(), 'Fewest characters of all texts together.', { unit: 'characters' }),
    maxTurns: field(positiveInt.optional(), 'Most messages.', { unit: 'messages' }),
    minTurns: field(positiveInt.optional(), 'Fewest messages.', { unit: 'messages' }),
    cut: field(
      z.enum(lengthCuts).default('drop'),
      'What happens to a longer row: refused as a loss, dropped, its earliest exchanges cut, or the start or end of its questions.',
    ),
  }),
  step('language', 'Tells in which language a row is; keeps those of some languages.', {
    keep: field(
      z.array(z.enum(languages)).min(1).optional(),
      'Languages that are kept, such as [en, de]; all when absent, and each row says which it is in.',
    ),
    of: field(
      z.enum(['row', 'question', 'answer']).default('row'),
      'What is looked at: all texts of the row, its last question or its last answer.',
    ),
    unsure: field(
      z.enum(['keep', 'drop']).default('keep'),
      'What happens to a row too short or too mixed to tell, or of no language, such as code.',
    ),
    column: field(
      z.string().min(1).optional(),
      'A column the language is written into, for later steps. A split looks at the columns that rows came with.',
    ),
  }),
  step('personal', 'Finds personal data: reports, masks or drops.', {
    kinds: field(
      z
        .array(z.enum(personalKinds))
        .min(1)
        .default([...personalKinds]),
      'What is looked for. national-id: those of China, Spain, France, Italy and Brazil by their check digits, and US social security numbers by their ranges; phone: numbers with + or 00 and a country code, and North American ones of ten digits with separators.',
    ),
    action: field(
      z.enum(['report', 'mask', 'drop']).default('report'),
      'What happens to it, in messages and in the arguments of tool calls.',
    ),
  }),
  step('contamination', 'Drops rows that share a passage with evaluation sets.', {
    against: field(
      z.array(z.string().min(1)).min(1),
      'Files (relative to the recipe) whose texts must not be trained on: any that a source may be; text is read by its lines.',
    ),
    words: field(
      positiveInt.max(100).default(13),
      'Words in a row that make a passage. A row of the files without one is compared as a whole.',
      { tier: 'expert' },
    ),
    action: field(z.enum(['report', 'drop']).default('drop'), 'What happens to such a row.'),
  }),
  step('sample', 'Takes a part of the rows, by weight or temperature of their sources.', {
    rows: field(positiveInt.optional(), 'Rows taken; as many as the weights allow when absent.', { unit: 'rows' }),
    share: field(share.optional(), 'Share of the rows taken, instead of a number.'),
    weights: field(
      z.record(z.string(), z.number().min(0)).optional(),
      'Weight of each source, by its address as the recipe writes it; 1 where it is not named.',
    ),
    temperature: field(
      z.number().positive().optional(),
      'Weight of a source is its rows to the power 1/temperature: 1 keeps proportions, more evens them out.',
    ),
    seed,
  }),
  step('shuffle', 'Puts the rows in a random order.', { seed }),
  step('self-cognition', 'Fills {{NAME}} and {{AUTHOR}} with who the model shall say it is.', {
    modelName: field(
      z.union([z.string().min(1), perLanguage]),
      'The name; {zh, en} where rows of both languages are there.',
    ),
    author: field(z.union([z.string().min(1), perLanguage]), 'Who made it; {zh, en} likewise.'),
  }),
] as const;

const pluginStep = z
  .strictObject({
    module: field(z.string().min(1), 'A module (relative to the recipe) that exports `step`, made by defineStep.'),
    options: field(json.optional(), 'What it is told.'),
  })
  .describe('A step of your own.');

/** Steps that need to be told nothing. */
const plainSteps = ['clean', 'duplicates', 'near-duplicates', 'personal', 'shuffle'] as const;
const anyStep = z.discriminatedUnion('step', stepOptions);

export function stepWithDefaults(step: (typeof plainSteps)[number]): z.output<typeof anyStep> {
  return anyStep.parse({ step });
}

/** One step of `data.steps`: a name alone, a name with its options, or a module. */
export const stepInput = z.union([z.enum(plainSteps), anyStep, pluginStep]);

export type StepInput = z.output<typeof stepInput>;
type AnyStep = (typeof stepOptions)[number];
type StepSchema<Name extends string> = Extract<AnyStep, { shape: { step: z.ZodLiteral<Name> } }>;
export type StepName = z.output<AnyStep>['step'];
export type StepOptions<Name extends StepName> = z.output<StepSchema<Name>>;

/** The schema of what a step may be told, its own name among it. */
export function optionsOf<Name extends StepName>(name: Name): StepSchema<Name> {
  return stepOptions.find(({ shape }) => shape.step.value === name) as StepSchema<Name>;
}
