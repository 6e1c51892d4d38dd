import type { Check } from './check.ts';
import {
  columnsThere,
  documentsWithinBudget,
  heldOutNeedsColumn,
  heldOutOrShare,
  measuringNeedsHeldOut,
  mixingReaches,
  mixKeysMix,
  rowsUsable,
  somethingToTrain,
  sourcesOnce,
} from './data-checks.ts';
import { diskHoldsSteps, stepsStream } from './disk-checks.ts';
import { weightsMatch } from './learn-checks.ts';
import { wordsOnce } from './list-checks.ts';
import {
  adapterExportNeedsAdapter,
  answersWithinModel,
  engineKnowsModel,
  ggufNeedsKnownArchitecture,
  lengthWithinModel,
  machineSuffices,
  memorySuffices,
  rowsWithinLength,
} from './model-checks.ts';
import {
  constantEndsNowhere,
  evalWithinRun,
  learningRateFalls,
  packHoldsRow,
  rateIsUsual,
  stepsHoldRows,
  warmupLeavesSteps,
} from './train-checks.ts';

/** What the fields of a recipe have to agree on, among themselves and with the facts. */
export const checks: readonly Check[] = [
  heldOutNeedsColumn,
  heldOutOrShare,
  somethingToTrain,
  measuringNeedsHeldOut,
  rowsUsable,
  columnsThere,
  mixKeysMix,
  mixingReaches,
  documentsWithinBudget,
  sourcesOnce,
  stepsStream,
  diskHoldsSteps,
  wordsOnce,
  weightsMatch,
  lengthWithinModel,
  answersWithinModel,
  rowsWithinLength,
  adapterExportNeedsAdapter,
  ggufNeedsKnownArchitecture,
  engineKnowsModel,
  memorySuffices,
  machineSuffices,
  learningRateFalls,
  constantEndsNowhere,
  warmupLeavesSteps,
  rateIsUsual,
  stepsHoldRows,
  evalWithinRun,
  packHoldsRow,
];
