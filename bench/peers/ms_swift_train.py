"""One epoch of LoRA with ms-swift, as `swift sft` with its own defaults otherwise.

python ms_swift_train.py <model folder> <rows.jsonl> <output folder>
"""

from meter import Meter, arguments, say

import swift
import torch
from swift import sft_main
from swift.callbacks import callbacks_map


def main() -> None:
    model, rows, out = arguments(3)
    say(versions={"ms-swift": swift.__version__, "torch": torch.__version__})
    callbacks_map["meter"] = lambda args, trainer: Meter()
    flags = {
        "model": model,
        "model_type": "llama",
        "template": "chatml",
        # What it takes for this model's own bf16 weights; for a folder in fp32 it would choose fp16, slow on a CPU.
        "torch_dtype": "bfloat16",
        "dataset": rows,
        "output_dir": out,
        "tuner_type": "lora",
        "lora_rank": 8,
        "lora_alpha": 16,
        "target_modules": "all-linear",
        "per_device_train_batch_size": 8,
        "gradient_accumulation_steps": 2,
        "num_train_epochs": 1,
        "learning_rate": 1e-4,
        "logging_steps": 1,
        "save_strategy": "no",
        "split_dataset_ratio": 0,
        "callbacks": "meter",
        "use_cpu": "true",
        "report_to": "none",
        # Else it asks a hub about the local folder first, and retries for seconds where none answers.
        "check_model": "false",
    }
    sft_main([part for name, value in flags.items() for part in (f"--{name}", str(value))])


if __name__ == "__main__":
    main()
