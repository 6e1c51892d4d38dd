import { sessionCases } from './contract-sessions.ts';
import { type ContractCase, contractTools, type TrainEngineContractOptions } from './contract-tools.ts';
import { trainingCases } from './contract-training.ts';

export type { ContractCase, TrainEngineContractOptions } from './contract-tools.ts';

/**
 * What every implementation of `spec/TrainEngine` keeps to, as cases for any test runner:
 * `for (const { name, run } of trainEngineContract(options)) test(name, run);`
 */
export function trainEngineContract(options: TrainEngineContractOptions): readonly ContractCase[] {
  const tools = contractTools(options);
  return [...sessionCases(tools), ...trainingCases(tools)];
}
