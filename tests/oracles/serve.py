"""Answers oracle requests until its input ends, so that PyTorch is imported once for many tests.

In, one line each: {id, script, request}. Out: {id, answer} or {id, error}, with the traceback.
"""

import importlib
import json
import os
import sys
import traceback

# The libraries print; only answers may reach standard output.
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)

for line in sys.stdin:
    message = json.loads(line)
    try:
        result = {"id": message["id"], "answer": importlib.import_module(message["script"]).run(message["request"])}
    except Exception:
        result = {"id": message["id"], "error": traceback.format_exc()}
    answers.write(json.dumps(result) + "\n")
