"""What a training peer tells about each step, one JSON line on standard output:

{"step": 1, "tokens": 3210, "at": 1234.5, "loss": 2.1}: tokens are those of the rows (attention mask 1, padding left
out), at is Unix time at the end of the step.
"""

from __future__ import annotations

import json
import os
import sys
import time

from transformers import TrainerCallback

# The libraries print to standard output; only these lines may reach it.
lines = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)


class Meter(TrainerCallback):
    def __init__(self) -> None:
        self.tokens = 0

    def on_train_begin(self, args, state, control, model=None, **kwargs):
        model.register_forward_pre_hook(self.count, with_kwargs=True)

    def count(self, module, args, kwargs) -> None:
        mask = kwargs.get("attention_mask")
        ids = kwargs.get("input_ids")
        two_dimensional = mask is not None and mask.ndim == 2
        self.tokens += int(mask.sum()) if two_dimensional else ids.numel()

    def on_step_end(self, args, state, control, **kwargs):
        lines.write(json.dumps({"step": state.global_step, "tokens": self.tokens, "at": time.time()}) + "\n")
        self.tokens = 0


def say(**facts) -> None:
    lines.write(json.dumps(facts) + "\n")


def arguments(count: int) -> list[str]:
    if len(sys.argv) != count + 1:
        raise SystemExit(f"needs {count} arguments, got {sys.argv[1:]}")
    return sys.argv[1:]
