"""Full fine-tuning by transformers: loss, logits, the gradient of every weight, and AdamW steps.

request: model (folder), dtype (float32), and what common.train takes. Tied weights count once.
"""

from common import Answer, Request, load_model, main, train


def run(request: Request) -> Answer:
    return train(load_model(request["model"], request.get("dtype", "float32")), request)


if __name__ == "__main__":
    main(run)
