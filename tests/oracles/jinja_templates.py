"""Chat templates that packages carry: Jinja files, and strings in JSON, YAML, Python and JavaScript.

request: roots [a folder, or an archive: wheel, zip, tar.gz, tgz], installed [names of packages of this environment].
answer: templates [{text, file}], each text once, in the order of the files' names.
"""

import ast
import importlib.util
import io
import json
import pathlib
import re
import tarfile
import zipfile

from common import Answer, Request, main

LARGEST = 40_000_000
KINDS = {".jinja", ".jinja2", ".j2", ".json", ".yaml", ".yml", ".py", ".js", ".mjs", ".cjs", ".ts"}
QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|`(?:[^`\\]|\\.)*`', re.S)


def is_template(text):
    return ("{%" in text or "{{" in text) and re.search(r"\bmessages?\b", text) and ("content" in text or "role" in text)


def files(root):
    """Name and bytes of each file that may hold a template."""
    path = pathlib.Path(root)
    wanted = lambda name, size: pathlib.PurePosixPath(name).suffix in KINDS and size < LARGEST
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_file() and wanted(file.name, file.stat().st_size):
                yield str(file.relative_to(path.parent)), file.read_bytes()
    elif path.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(path) as archive:
            for member in sorted(archive.infolist(), key=lambda each: each.filename):
                if wanted(member.filename, member.file_size):
                    yield member.filename, archive.read(member)
    else:
        with tarfile.open(path) as archive:
            for member in sorted(archive.getmembers(), key=lambda each: each.name):
                if member.isfile() and wanted(member.name, member.size):
                    yield member.name, archive.extractfile(member).read()


def folded(node):
    """The text of a Python expression that is only strings put together."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = folded(node.left), folded(node.right)
        return left + right if left is not None and right is not None else None
    return None


def python_strings(source):
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    inner = set()
    for node in ast.walk(tree):
        text = None if node in inner else folded(node)
        if text is not None:
            inner.update(ast.walk(node))
            yield text


def javascript_strings(source):
    for match in QUOTED.finditer(source):
        if "{%" not in match.group():
            continue
        body = match.group()[1:-1].replace("\\'", "'").replace("\\`", "`").replace("\\$", "$").replace("\t", "\\t")
        if match.group()[0] != '"':
            body = re.sub(r'(?<!\\)((?:\\\\)*)"', r'\1\\"', body.replace("\n", "\\n").replace("\r", ""))
        try:
            yield json.loads(f'"{body}"', strict=False)
        except ValueError:
            continue


def data_strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from data_strings(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from data_strings(item)


def strings(name, content):
    suffix = pathlib.PurePosixPath(name).suffix
    text = content.decode("utf-8", errors="replace")
    if suffix == ".json":
        try:
            return data_strings(json.loads(text))
        except ValueError:
            return ()
    if suffix in (".yaml", ".yml"):
        import yaml

        try:
            return data_strings(yaml.safe_load(text))
        except (yaml.YAMLError, ValueError):
            return ()
    if suffix == ".py":
        return python_strings(text)
    return (text,) if suffix in (".jinja", ".jinja2", ".j2") else javascript_strings(text)


def run(request: Request) -> Answer:
    roots = list(request.get("roots", []))
    for name in request.get("installed", []):
        roots += importlib.util.find_spec(name).submodule_search_locations
    found = {}
    for root in roots:
        for name, content in files(root):
            if b"{%" not in content and b"{{" not in content:
                continue
            for text in strings(name, content):
                if is_template(text):
                    found.setdefault(text, name)
    return {"templates": [{"text": text, "file": name} for text, name in found.items()]}


if __name__ == "__main__":
    main(run)
