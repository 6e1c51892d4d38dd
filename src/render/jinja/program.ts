import { defaultLimits, type Limits, withBudget } from './budget.ts';
import { compileBody } from './compile-statement.ts';
import { TemplateError } from './error.ts';
import { globalNames } from './globals.ts';
import { parseTemplate } from './parser.ts';
import { newEnv, type PrintedNothing, type Runtime } from './runtime.ts';
import { TextBuilder } from './text.ts';
import { PyObject, type Value } from './value.ts';

export interface RenderedTemplate {
  readonly text: string;
  /** Three numbers a run: start in `text`, source, offset in the source or -1; see `Text`. */
  readonly runs: readonly number[];
  /** Start and end of each `{% generation %}`, in UTF-16 units of `text`. */
  readonly generations: readonly number[];
  readonly printedNothing?: PrintedNothing | undefined;
}

/** A compiled template. */
export interface JinjaProgram {
  /** @throws TemplateError where Python would raise, or when the rendering costs more than `limits` */
  render(
    variables: ReadonlyMap<string, Value>,
    options: { readonly now: () => Date; readonly limits?: Limits },
  ): RenderedTemplate;
}

/**
 * Compiles a Jinja template to closures, with the syntax and semantics of Python's jinja2 3.1 as transformers sets it up:
 * trim_blocks, lstrip_blocks, loop controls, the generation tag, an immutable sandbox.
 * @throws TemplateError `syntax`
 */
export function compileJinja(source: string): JinjaProgram {
  const execute = guarded(() => compileBody(parseTemplate(source)));
  // Made once: rendering is synchronous, so that the clock of the last call is the one that is asked.
  let clock: () => Date = () => new Date();
  const globals = globalNames(() => clock());
  return {
    render: (variables, { now, limits = defaultLimits }) => {
      clock = now;
      const page = new TextBuilder();
      const runtime: Runtime = {
        out: page,
        page,
        lookup: (name) => {
          if (name === 'self') return new TemplateReference();
          return variables.get(name) ?? (variables.has(name) ? variables.get(name) : globals.get(name));
        },
        vars: new Map(),
        generations: [],
        printedNothing: undefined,
        line: 0,
      };
      try {
        withBudget(limits, () => guarded(() => execute(newEnv(runtime, undefined))));
      } catch (error) {
        if (error instanceof TemplateError) error.line ??= runtime.line > 0 ? runtime.line : undefined;
        throw error;
      }
      return { ...page.result(), generations: runtime.generations, printedNothing: runtime.printedNothing };
    },
  };
}

/** `self`, which calls blocks of the template; a chat template has no use for more than its being there. */
class TemplateReference extends PyObject {
  readonly typeName = 'TemplateReference';
  override attribute(name: string): Value | undefined {
    throw new TemplateError('unsupported', `self.${name} is not available`);
  }
}

/** JavaScript's own stack or string limit is the template's doing here, as Python's RecursionError and MemoryError are. */
function guarded<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof RangeError) throw new TemplateError('limit', `the template goes too far: ${error.message}`);
    throw error;
  }
}
