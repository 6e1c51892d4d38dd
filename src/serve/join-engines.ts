import { MartletError } from '../core/error.ts';
import type { Engine } from '../spec/engine.ts';

/** Several engines as one: each request goes to the engine that has its model. */
export function joinEngines(engines: readonly Engine[]): Engine {
  const [first] = engines;
  if (!first) throw new MartletError('bug', 'no engine was started');
  if (engines.length === 1) return first;
  return {
    name: first.name,
    version: first.version,
    models: engines.flatMap(({ models }) => models),
    generate(request) {
      const engine = engines.find(({ models }) => models.includes(request.model));
      if (!engine) throw new MartletError('model-missing', `no model is served as "${request.model}"`);
      return engine.generate(request);
    },
    async health() {
      const states = await Promise.all(engines.map((engine) => engine.health()));
      return {
        ready: states.every(({ ready }) => ready),
        active: states.reduce((sum, { active }) => sum + active, 0),
        waiting: states.reduce((sum, { waiting }) => sum + waiting, 0),
      };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(engines.map((engine) => engine[Symbol.asyncDispose]()));
    },
  };
}
