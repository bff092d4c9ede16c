"""The URL of a store in a bucket -> its folder on this disk, and back.

The folder lies in `PREP_CACHE`, or in `prep` in the user's cache directory: one for each URL and endpoint. A file in it tells
the URL, so that a worker, or a node that sees the same folder, knows where to fetch from. Credentials are kept nowhere.
"""

import hashlib
import json
import os
import re
from pathlib import Path

from pipeline.artifacts.files import atomic
from pipeline.errors import UsageError

VARIABLE = "PREP_CACHE"
MARKER = "bucket.json"
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "FSSPEC_S3_ENDPOINT_URL")


def checked_url(url: str) -> str:
    """Return the URL of a store without a slash at its end; raises `UsageError` for one that can be none.

    >>> checked_url("s3://bucket/sets/")
    's3://bucket/sets'
    >>> checked_url("s3://key:secret@bucket")
    Traceback (most recent call last):
    pipeline.errors.UsageError: --store takes no password in a URL. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    """
    scheme, _, rest = url.partition("://")
    if re.match(r"[^/@]*:[^/]*@", rest):
        raise UsageError("--store takes no password in a URL. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
    if scheme.lower() in ("http", "https") or not rest.strip("/") or set(rest) & set("?#*"):
        raise UsageError(f"--store {url}: no bucket. Name one, like s3://bucket/prefix; AWS_ENDPOINT_URL names the server.")
    return f"{scheme.lower()}://{rest.rstrip('/')}"


def cache_of(url: str) -> Path:
    """Return the folder of a store's URL; raises `StoreError` where it cannot be made."""
    where = json.dumps([url, next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), "")])
    bucket = re.sub(r"[^A-Za-z0-9.-]", "-", url.partition("://")[2].partition("/")[0])
    root = _caches() / f"{bucket}-{hashlib.sha256(where.encode()).hexdigest()[:12]}"
    if not (root / MARKER).exists():
        with atomic(root / MARKER) as temporary:
            temporary.write_text(json.dumps({"url": url}))
    return root


def url_of(root: Path) -> str:
    """Return the URL whose folder this is."""
    return str(json.loads((root / MARKER).read_text())["url"])


def root_of(path: Path) -> Path | None:
    """Return the store's folder that a path lies in, or None."""
    return next((parent for parent in path.parents if (parent / MARKER).exists()), None)


def _caches() -> Path:
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE]).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "prep"
