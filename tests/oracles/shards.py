"""Shards as NumPy maps them, by the class that docs/concepts/shards.md shows.

request: page (the text of that page), folder, split.
answer: steps [[pack: [document]]], documents [{ids, weights, positions}], rows [[id, tokens cut off]] by document, mapped:
whether every array of a document is a view of a mapped file, torch: ids of all tokens as torch maps the file.
"""

import re

from common import Answer, Request, main


def run(request: Request) -> Answer:
    import numpy as np
    import torch

    (source,) = re.findall(r"```python\n(.*?)```", request["page"], re.S)
    namespace: dict = {}
    exec(source, namespace)
    shards = namespace["Shards"](request["folder"], request["split"])
    counts = shards.manifest["splits"][request["split"]]
    documents = []
    mapped = True
    for index in range(counts["documents"]):
        segments = shards.document(index)
        for ids, weights, _ in segments:
            mapped = mapped and isinstance(ids, np.memmap) and np.shares_memory(ids, shards.ids)
            mapped = mapped and isinstance(weights, np.memmap) and np.shares_memory(weights, shards.weights)
        joined = [np.concatenate(parts).tolist() for parts in zip(*segments)]
        documents.append(dict(zip(("ids", "weights", "positions"), joined)))
    tokens = counts["storedTokens"]
    path = f"{request['folder']}/{request['split']}.ids.u32"
    mapping = torch.from_file(path, shared=False, size=tokens, dtype=torch.int32) if tokens else torch.empty(0)
    return {
        "rows": [shards.row(index) for index in range(counts["documents"])],
        "steps": [shards.step(step) for step in range(counts["steps"])],
        "documents": documents,
        "mapped": mapped,
        "torch": mapping.tolist(),
    }


if __name__ == "__main__":
    main(run)
