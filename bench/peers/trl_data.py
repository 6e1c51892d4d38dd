"""Rows to packed tokens as TRL does it: load_dataset, then the trainer's own preparation of a dataset with
assistant_only_loss and packing. Imports and the model are not counted.

python trl_data.py <model folder> <rows.jsonl> <tokens a pack> <processes, 0 for the default>
"""

from meter import arguments, say

import time

import datasets
import transformers
import trl


class TimedTrainer(trl.SFTTrainer):
    prepared_seconds = 0.0

    def _prepare_dataset(self, *args, **kwargs):
        start = time.perf_counter()
        try:
            return super()._prepare_dataset(*args, **kwargs)
        finally:
            TimedTrainer.prepared_seconds += time.perf_counter() - start


def main() -> None:
    model, rows, pack_tokens, processes = arguments(4)
    start = time.perf_counter()
    dataset = datasets.load_dataset("json", data_files=rows, split="train")
    loaded = time.perf_counter() - start
    trainer = TimedTrainer(
        model=model,
        args=trl.SFTConfig(
            output_dir="out",
            max_length=int(pack_tokens),
            packing=True,
            assistant_only_loss=True,
            dataset_num_proc=int(processes) or None,
            report_to="none",
            use_cpu=True,
        ),
        train_dataset=dataset,
    )
    seconds = loaded + TimedTrainer.prepared_seconds
    packed = trainer.train_dataset
    tokens = learned = 0
    for ids, labels in zip(packed["input_ids"], packed["labels"], strict=True):
        tokens += len(ids)
        learned += sum(label != -100 for label in labels)
    versions = {"trl": trl.__version__, "datasets": datasets.__version__, "transformers": transformers.__version__}
    say(rows=len(dataset), tokens=tokens, learnedTokens=learned, seconds=seconds, versions=versions)


if __name__ == "__main__":
    main()
