"""Artifacts: what a stage leaves behind, named by what made it, and the store that holds them.

Reading order:

    identity   what made an artifact, in one canonical form; its hash is the fingerprint
    manifest   what an artifact is, and what is in it
    files      a file is written under a temporary name and renamed when whole
    shards     Parquet files -> tables
    artifact   a published folder: manifest and files, never changed again
    draft      a folder being filled, locked, kept after a crash; `publish` writes the manifest, last
    store      finds, lists and drafts artifacts below one folder: <store>/<stage>/<name>@<fingerprint>/

A store may lie in a bucket, s3://bucket/prefix. Then the folder is the bucket's cache on this disk, and nobody else need know:

    cache      the URL of a store -> the folder
    patience   a question to a server -> its answer, however often it must be asked
    bucket     what is asked of object storage
    mirror     a bucket -> the folder: manifests before each look, a file when it is opened for the first time
    lazy       a path that is opened for the first time -> the mirror
    outbox     a draft -> the bucket, the manifest last

A folder without `manifest.json` is a draft, or what has been uploaded of one.
"""

from pipeline.artifacts.artifact import Artifact
from pipeline.artifacts.draft import Draft
from pipeline.artifacts.files import LOCK, REMOVED, append, atomic, refusals, remembered, remove_at_once, reserve, save
from pipeline.artifacts.identity import STAGES, Identity, canonical, checked_name
from pipeline.artifacts.manifest import MANIFEST, Manifest
from pipeline.artifacts.shards import parquet_rows, read_schema, read_shard
from pipeline.artifacts.store import Store

__all__ = [
    "LOCK",
    "MANIFEST",
    "REMOVED",
    "STAGES",
    "Artifact",
    "Draft",
    "Identity",
    "Manifest",
    "Store",
    "append",
    "atomic",
    "canonical",
    "checked_name",
    "parquet_rows",
    "read_schema",
    "read_shard",
    "refusals",
    "remembered",
    "remove_at_once",
    "reserve",
    "save",
]
