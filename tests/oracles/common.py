"""What the oracles share: each is a module with `run(request) -> answer`, both plain JSON values.

Alone: `python tests/oracles/<name>.py < request.json`. From tests: `oracle('<name>', request)`, through serve.py.
Shapes: B documents, T tokens, V vocabulary. Tensors that are too large for JSON go through safetensors files.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Callable

Request = dict[str, Any]
Answer = dict[str, Any]


def main(run: Callable[[Request], Answer]) -> None:
    json.dump(run(json.load(sys.stdin)), sys.stdout)


def load_model(folder: str, dtype: str = "float32"):
    """The model as transformers loads it, on CPU, ready to compare: no dropout, plain attention."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype), attn_implementation="eager")
    return model.eval()


def load_adapter(model, folder: str, trainable: bool = False):
    from peft import PeftModel

    return PeftModel.from_pretrained(model, folder, is_trainable=trainable).eval()


def logits_of(model, ids: list[int]):
    """Logits of one document, [T, V], in the model's precision. Documents never share a forward pass."""
    import torch

    return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]


def weighted_loss(model, documents: list[Request], keep_logits: bool = False):
    """sum(w * nll) / sum(w) over all documents; the weight of token 0, which nothing predicts, must be 0.

    Returns the loss, still on the graph, and the logits of each document (detached) when kept.
    """
    import torch

    total = torch.zeros((), dtype=next(model.parameters()).dtype)
    weights = 0.0
    kept = []
    for document in documents:
        ids, weight = document["ids"], document["weights"]
        if len(ids) != len(weight) or weight[0] != 0:
            raise ValueError("a document needs one weight a token, and 0 for the first")
        logits = logits_of(model, ids)
        if keep_logits:
            kept.append(logits.detach())
        log_probability = torch.log_softmax(logits[:-1], dim=-1)
        nll = -log_probability.gather(1, torch.tensor(ids[1:])[:, None])[:, 0]
        total = total + (nll * torch.tensor(weight[1:], dtype=nll.dtype)).sum()
        weights += sum(weight[1:])
    return total / weights, kept


def train(model, request: Request) -> Answer:
    """Loss and gradients of `batches[0]`, then AdamW over all batches when `steps` is given.

    request: batches [[{ids, weights}]], out (safetensors file to write), logits (keep those of batches[0]),
    steps {learningRates, betas, epsilon, weightDecay, clipNorm}: step i trains batches[i % len(batches)].
    answer: loss, gradientNorm of batches[0] before any step; losses, gradientNorms (before clipping) of each step.
    out: `gradient.<parameter>`, `logits.<document>` [T, V], and after the steps `weight.<parameter>`.
    """
    import torch
    from safetensors.torch import save_file

    trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
    tensors = {}
    loss, kept = weighted_loss(model, request["batches"][0], request.get("logits", False))
    loss.backward()
    for name, value in trained.items():
        tensors[f"gradient.{name}"] = value.grad.clone()
    for index, logits in enumerate(kept):
        tensors[f"logits.{index}"] = logits
    answer: Answer = {"loss": loss.item(), "gradientNorm": norm(trained.values()), "losses": [], "gradientNorms": []}

    steps = request.get("steps")
    if steps:
        groups = [
            {"params": [value for value in trained.values() if value.ndim > 1], "weight_decay": steps["weightDecay"]},
            {"params": [value for value in trained.values() if value.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(
            [group for group in groups if group["params"]],
            lr=0.0,
            betas=tuple(steps["betas"]),
            eps=steps["epsilon"],
        )
        for index, learning_rate in enumerate(steps["learningRates"]):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate
            optimizer.zero_grad()
            loss, _ = weighted_loss(model, request["batches"][index % len(request["batches"])])
            loss.backward()
            answer["losses"].append(loss.item())
            answer["gradientNorms"].append(norm(trained.values()))
            if steps["clipNorm"] > 0:
                torch.nn.utils.clip_grad_norm_(trained.values(), steps["clipNorm"])
            optimizer.step()
        for name, value in trained.items():
            tensors[f"weight.{name}"] = value.detach()
    save_file({name: value.contiguous().clone() for name, value in tensors.items()}, request["out"])
    return answer


def norm(parameters) -> float:
    import torch

    return torch.sqrt(sum((value.grad.double() ** 2).sum() for value in parameters)).item()
