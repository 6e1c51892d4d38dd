import { diagnose, martletHome } from '../../envs/index.ts';
import { withCommands } from '../called-as.ts';
import type { CommandModule } from '../command.ts';
import { palette } from '../print/palette.ts';

export const command: CommandModule = {
  register(doctor, context) {
    doctor
      .option('--json', 'print findings as JSON')
      .option('--network', 'also ask whether the model hub answers')
      .action(async (options: { json?: boolean; network?: boolean }) => {
        const findings = await diagnose({
          home: martletHome(context.env),
          env: context.env,
          network: options.network ?? false,
          signal: context.signal,
        });
        if (findings.some(({ state }) => state === 'problem')) context.setExitCode(1);
        if (options.json) {
          context.out(`${JSON.stringify(findings, null, 2)}\n`);
          return;
        }
        const colours = palette(context);
        const marks = {
          ok: colours.green('ok     '),
          missing: colours.yellow('missing'),
          problem: colours.red('problem'),
        };
        const width = Math.max(...findings.map(({ name }) => name.length));
        for (const { name, state, detail, fix } of findings) {
          context.out(`${marks[state]}  ${name.padEnd(width)}  ${detail}\n`);
          if (fix) context.out(`${' '.repeat(width + 11)}${colours.dim('→')} ${withCommands(fix, context)}\n`);
        }
      });
  },
};
