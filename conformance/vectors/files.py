"""The files of an edition: write them, read them, and check them against the hashes in their index.

A file has the vectors of one claim, one in each line.  ``index.json`` has the name of the edition, the
SHA-256 of each file, and the flags.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from adamcore.backends.io.atomic import write_whole
from adamcore.errors import AdamcoreError

SCHEMA = "adamcore-vectors/1"
INDEX = "index.json"
SHIPPED = Path(__file__).resolve().parent  #: the folder of the edition in this package

Json = dict[str, Any]


class VectorError(AdamcoreError, ValueError):
    """A vector file, or a folder of them, that is damaged or of another kind."""


def file_name(claim: str) -> str:
    """Return the name of a claim's file.

    >>> file_name("torch.Adam(amsgrad=True)")
    'torch.Adam-amsgrad.json'
    """
    return re.sub(r"\W+$", "", claim.replace("=True", "").replace("(", "-")) + ".json"


def generate(
    *, long: bool = False, only: Iterable[str] = (), done: Callable[[str], object] = str
) -> dict[str, str]:
    """Return the text of every file of the edition but its index, by file name; the oracle computes it.

    Args:
        long: True for the longer set, which has more dialects and more inputs.
        only: names of claims; none means all claims.
        done: called with the name of each file.
    """
    from adamcore.conformance.vectors import inputs
    from adamcore.conformance.vectors.answers import axes_json, make_vector

    claims = inputs.long_claims() if long else inputs.claims()
    items = inputs.long_inputs() if long else inputs.INPUTS
    wanted, texts = set(only), {}
    for claim in claims:
        if wanted and claim.name not in wanted:
            continue
        vectors = [
            made
            for item in items
            for dtype in inputs.DTYPES
            if (made := make_vector(claim.adam, item, dtype))
        ]
        head = {
            "schema": SCHEMA,
            "edition": inputs.EDITION + ("-long" if long else ""),
            "dialect": claim.name,
            "axes": axes_json(claim.adam),
        }
        texts[file_name(claim.name)] = file_text(head, vectors)
        done(file_name(claim.name))
    return texts


def file_text(head: Json, vectors: Iterable[Json]) -> str:
    """Return the text of a file: its head, then one vector in each line."""
    lines = ",\n".join(json.dumps(v, separators=(",", ":")) for v in vectors)
    return json.dumps(head, indent=1)[:-2] + ',\n "vectors": [\n' + lines + "\n]}\n"


def index_text(texts: dict[str, str]) -> str:
    """Return the text of the index of these files."""
    from adamcore.conformance.vectors.flags import FLAGS

    first = json.loads(next(iter(texts.values())))
    files = {
        name: {
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "dialect": json.loads(text)["dialect"],
            "vectors": len(json.loads(text)["vectors"]),
        }
        for name, text in sorted(texts.items())
    }
    flags = {name: asdict(flag) for name, flag in FLAGS.items()}
    index = {"schema": SCHEMA, "edition": first["edition"], "files": files, "flags": flags}
    return json.dumps(index, indent=1) + "\n"


def write(folder: Path, texts: dict[str, str]) -> None:
    """Write an edition, its index last.

    Raises:
        OSError: the folder cannot be made or is not writable.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_whole(folder / name, [text.encode()])
    write_whole(folder / INDEX, [index_text(texts).encode()])


def read_index(folder: Path) -> Json:
    """Return the index of the edition in ``folder``.

    Raises:
        VectorError: there is no index, or it is of another kind.
    """
    path = folder / INDEX
    index = parse(path, read_bytes(path, "a folder with an edition of vectors has one"))
    files = index.get("files")
    if not isinstance(files, dict) or not all(isinstance(f, dict) and "sha256" in f for f in files.values()):
        raise VectorError(f"{path}: the index has no files with their hashes")
    return index


def read_file(folder: Path, name: str, index: Json) -> Json:
    """Return one file of the edition after a check of its hash.

    Raises:
        VectorError: the file does not exist, is not as the index says, or is of another kind.
    """
    path = folder / name
    data = read_bytes(path, "the index lists it")
    found, wanted = hashlib.sha256(data).hexdigest(), index["files"][name]["sha256"]
    if found != wanted:
        raise VectorError(
            f"{path}: SHA-256 is {found[:16]}..., the index says {str(wanted)[:16]}...: the file was "
            "changed or cut; take it from the package again, or write the edition anew (--write)"
        )
    content = parse(path, data)
    if content.get("edition") != index.get("edition"):
        raise VectorError(
            f"{path}: edition {content.get('edition')!r} in a folder of {index.get('edition')!r}"
        )
    return content


def check(folder: Path) -> Json:
    """Check every file of an edition against its index, and return the index.

    Raises:
        VectorError: a file is wrong or missing, or it is not in the index.
    """
    index = read_index(folder)
    for name in index["files"]:
        content = read_file(folder, name, index)
        if len(content["vectors"]) != index["files"][name].get("vectors"):
            raise VectorError(f"{folder / name}: {len(content['vectors'])} vectors, the index counts others")
    strangers = {path.name for path in folder.glob("*.json")} - set(index["files"]) - {INDEX}
    if strangers:
        raise VectorError(f"{folder}: {', '.join(sorted(strangers))} is in no index")
    return index


def read_bytes(path: Path, why: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise VectorError(f"{path}: {error.strerror or error}; {why}") from error


def parse(path: Path, data: bytes) -> Json:
    """Return the JSON object in a file; raise :class:`VectorError` if its schema is another one."""
    try:
        content = json.loads(data)
    except ValueError as error:
        raise VectorError(f"{path}: not JSON ({error})") from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        schema = content.get("schema") if isinstance(content, dict) else None
        raise VectorError(
            f"{path}: expected schema {SCHEMA!r}, found {schema!r}: not a file of adamcore vectors"
        )
    return content
