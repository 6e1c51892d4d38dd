"""Renders chat templates with Python's jinja2 as transformers sets it up, compiled once, on one thread.

argv: a JSON file {templates [text], inputs [JSON text of all variables], rounds}.
out, one JSON line each: {"ready": pairs [[template, input]] that render, "texts": [hash]}; then, for each line of standard
input, one round over all pairs: {"seconds": [seconds of each template]}.
"""

import gc
import hashlib
import json
import sys
import time

from transformers.utils import chat_template_utils

request = json.load(open(sys.argv[1], encoding="utf-8"))
inputs = [json.loads(text) for text in request["inputs"]]
work, ready, texts = [], [], []
for index, template in enumerate(request["templates"]):
    compiled = chat_template_utils._cached_compile_jinja_template(template)
    renders = []
    for number, variables in enumerate(inputs):
        try:
            text = compiled.render(**variables)
        except Exception:
            continue
        ready.append([index, number])
        texts.append(hashlib.sha256(text.encode("utf-16-le", "surrogatepass")).hexdigest()[:16])
        renders.append(variables)
    work.append((compiled, renders))

print(json.dumps({"ready": ready, "texts": texts}), flush=True)
gc.disable()
for _ in sys.stdin:
    gc.collect()
    seconds = []
    for compiled, renders in work:
        start = time.perf_counter()
        for variables in renders:
            compiled.render(**variables)
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": seconds}), flush=True)
