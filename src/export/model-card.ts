import type { Certificate, Model } from '../schema/model.ts';
import type { PlanValues } from '../schema/plan.ts';

/** The README of an exported model: what it is, what it came from and what was checked. */
export function modelCard(request: {
  readonly model: Model;
  readonly values: PlanValues;
  readonly certificates: readonly Certificate[];
}): string {
  const { model, values, certificates } = request;
  const { adapter, train } = values;
  const how =
    adapter.kind === 'lora'
      ? `LoRA, rank ${adapter.rank}, alpha ${adapter.alpha}, on ${adapter.targets.join(', ')}`
      : 'all weights';
  const rows = certificates.map(
    ({ format, maxLogitDifference, greedyAnswersEqual, rows: compared, reader }) =>
      `| ${format} | ${maxLogitDifference.toExponential(2)} | ${greedyAnswersEqual} of ${compared.length} | ${reader} |`,
  );
  return `---
base_model: ${model.baseAddress}
library_name: martlet
---

# ${values.name}

Trained by ${values.method.name} from ${model.baseAddress} (${how}; ${train.epochs} epoch${train.epochs === 1 ? '' : 's'}, learning rate ${train.learningRate}).

- run ${model.run}, ${model.checkpoint}
- plan ${model.planHash}
- base ${model.baseFingerprint}

Each export was read back and compared with what was trained, on held-out rows:

| export | largest difference of a logit | greedy answers equal | read by |
|---|---|---|---|
${rows.join('\n')}
`;
}
