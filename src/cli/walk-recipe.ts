import { embeddedEngine } from '../engine/embedded.ts';
import { startAhead } from '../engine/start-ahead.ts';
import { martletHome } from '../envs/home.ts';
import { hasOnnxRuntime } from '../envs/onnxruntime.ts';
import { wakeTokenizers } from '../models/tokenizer-bridge.ts';
import type { CliContext } from './context.ts';
import { progressLine } from './print/progress-line.ts';
import { trains } from './trains.ts';
import type { Walked, WalkRequest } from './walk-stages.ts';

/** Makes the plan with the base model at hand, then walks the path up to a stage, showing how it goes. */
export async function walkRecipe(context: CliContext, request: WalkRequest): Promise<Walked> {
  const { env } = context;
  const home = martletHome(env);
  const line = progressLine(context);
  const log = (text: string): void => {
    if (!request.quiet) line.note(text);
  };
  const embedded = embeddedEngine({ home, env, log });
  await using ahead = startAhead(request.wrapEngine?.(embedded) ?? embedded);
  // One that has to be fetched waits until recipe and rows are known to be right.
  if (trains(request.last) && hasOnnxRuntime(home)) ahead.begin();
  wakeTokenizers();
  // Both start while the modules that read recipes, models and rows are loaded.
  const { walkStages } = await import('./walk-stages.ts');
  return await walkStages(context, { ...request, ahead, home, line, log });
}
