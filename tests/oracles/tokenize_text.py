"""Tokens by transformers' own tokenizer.

request: folder (with tokenizer.json) or gguf (a file, read by transformers' own conversion), texts [str].
answer: ids [[id]] without added special tokens, decoded [str] with special tokens kept, vocabularySize.
"""

import os

from common import Answer, Request, main


def run(request: Request) -> Answer:
    from transformers import AutoTokenizer

    if request.get("gguf"):
        folder, file = os.path.split(request["gguf"])
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file)
    else:
        tokenizer = AutoTokenizer.from_pretrained(request["folder"])
    ids = [tokenizer.encode(text, add_special_tokens=False) for text in request["texts"]]
    decoded = [tokenizer.decode(one, skip_special_tokens=False, clean_up_tokenization_spaces=False) for one in ids]
    return {"ids": ids, "decoded": decoded, "vocabularySize": len(tokenizer)}


if __name__ == "__main__":
    main(run)
