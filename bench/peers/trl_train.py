"""One epoch of LoRA with TRL, its own defaults otherwise: bf16 autocast, gradient checkpointing, 8 rows a device.

python trl_train.py <model folder> <rows.jsonl> <output folder>
"""

from meter import Meter, arguments, say

import datasets
import peft
import torch
import trl


def main() -> None:
    model, rows, out = arguments(3)
    say(versions={"trl": trl.__version__, "peft": peft.__version__, "torch": torch.__version__})
    dataset = datasets.load_dataset("json", data_files=rows, split="train").select_columns(["messages"])
    trainer = trl.SFTTrainer(
        model=model,
        args=trl.SFTConfig(
            output_dir=out,
            num_train_epochs=1,
            gradient_accumulation_steps=2,
            learning_rate=1e-4,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            use_cpu=True,
        ),
        train_dataset=dataset,
        peft_config=peft.LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"),
        callbacks=[Meter()],
    )
    trainer.train()
    say(losses=[entry["loss"] for entry in trainer.state.log_history if "loss" in entry])


if __name__ == "__main__":
    main()
