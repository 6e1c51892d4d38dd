import { createInterface } from 'node:readline';
import { MartletError } from '../../core/error.ts';
import { servingDefaults } from '../../core/serving-defaults.ts';
import type { CommandModule } from '../command.ts';
import type { CliContext } from '../context.ts';
import { decimal } from '../option-values.ts';
import { palette } from '../print/palette.ts';
import { type ChatClient, type ChatTurn, chatClient } from './chat-client.ts';
import { printable } from './review-print.ts';

interface ChatFlags {
  readonly url: string;
  readonly model?: string;
  readonly apiKey?: string;
  readonly temperature?: number;
  readonly system?: string;
}

export const command: CommandModule = {
  register(chat, context) {
    chat
      .option('--url <url>', 'the server', `http://${servingDefaults.host}:${servingDefaults.port}`)
      .option('--model <name>', 'the model; the last one the server lists unless given')
      .option('--api-key <key>', 'what the server wants (MARTLET_API_KEY)')
      .option('--temperature <t>', `from 0 (the likeliest words) to 2; ${untold} unless given`, decimal)
      .option('--system <text>', 'what the model is told first')
      .action((flags: ChatFlags) => run(flags, context));
  },
};

/** The server's own, which is not sent. */
const untold = servingDefaults.temperature;

const help = '/reset forgets the conversation, /model <name> changes the model, /quit ends';

async function run(flags: ChatFlags, context: CliContext): Promise<void> {
  const client = chatClient({
    url: flags.url,
    apiKey: flags.apiKey ?? context.env.MARTLET_API_KEY ?? null,
    signal: context.signal,
  });
  const models = await client.models();
  const model = flags.model ?? models.at(-1);
  if (model === undefined) throw new MartletError('model-missing', `${flags.url} serves no model`);
  const { temperature, system } = flags;
  await converse({ context, client, models, model, temperature, system });
}

interface Conversation {
  readonly context: CliContext;
  readonly client: ChatClient;
  readonly models: readonly string[];
  readonly model: string;
  readonly temperature: number | undefined;
  readonly system: string | undefined;
}

/** Reads lines until the input ends, `/quit` or Ctrl-C. What is piped in is a conversation too. */
async function converse({ context, client, models, temperature, ...given }: Conversation): Promise<void> {
  const { signal } = context;
  const colours = palette(context);
  const opening: readonly ChatTurn[] = given.system ? [{ role: 'system', content: given.system }] : [];
  let { model } = given;
  let turns: readonly ChatTurn[] = opening;
  const terminal = context.stdin.isTTY === true;
  const lines = createInterface({
    input: context.stdin,
    ...(terminal && { output: process.stderr }),
    terminal,
    signal,
  });
  const prompt = (): void => {
    if (terminal) lines.setPrompt(colours.cyan(`${model}> `));
    if (terminal) lines.prompt();
  };
  if (terminal) context.err(`${help}\n`);
  prompt();
  for await (const line of lines) {
    const text = line.trim();
    const [word, name] = text.split(/\s+/);
    if (word === '/quit') return lines.close();
    if (word === '/reset') turns = opening;
    else if (word === '/model') {
      if (name !== undefined && models.includes(name)) model = name;
      else context.err(`there is ${models.join(', ')}\n`);
    } else if (word?.startsWith('/')) context.err(`${help}\n`);
    else if (text !== '') turns = await turn(text);
    if (signal.aborted) break;
    prompt();
  }
  lines.close();
  // Input that ended leaves the cursor behind the prompt.
  if (terminal) context.err('\n');

  /** One question and its answer, printed as it comes. @returns the conversation with both, or without on a failure. */
  async function turn(content: string): Promise<readonly ChatTurn[]> {
    const asked = [...turns, { role: 'user', content } as const];
    let answer = '';
    try {
      for await (const piece of client.stream({ model, messages: asked, temperature })) {
        // Tokens of words bring the space before them: at the beginning of a line it is none.
        context.out(printable(answer.trim() === '' ? piece.trimStart() : piece));
        answer += piece;
      }
      context.out('\n');
      return [...asked, { role: 'assistant', content: answer }];
    } catch (error) {
      if (signal.aborted || !MartletError.is(error)) throw error;
      context.err(`${colours.red('error')} ${error.message}\n`);
      if (turns.length > opening.length && error.code === 'context_length_exceeded')
        context.err('/reset forgets the conversation\n');
      if (!models.includes(model)) context.err(`there is ${models.join(', ')}\n`);
      // A person sees it and asks again; a script has to be told.
      if (!terminal) context.setExitCode(1);
      return turns;
    }
  }
}
