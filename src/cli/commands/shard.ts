import { stageCommand } from '../stage-command.ts';

export const command = stageCommand('shard');
