"""Packed files: unpacked while they are read, in bounded memory, up to the damage."""

import bz2
import gzip
import io
import json
import lzma
import random
import subprocess
import sys
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SourceError
from pipeline.readers import format_of
from pipeline.readers.html import html
from pipeline.readers.jsonl import jsonl
from pipeline.sources import Source, blocks_of, head, open_bytes, unpacking
from pipeline.sources.unpacking import PACKED, Unpacked

PACK = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: pa.Codec("zstd").compress(data, asbytes=True),
}
packings = pytest.mark.parametrize("packing", PACK)
NOISE = random.Random(0).randbytes(1_000_000).hex().encode()


def packed(tmp_path, packing, data, name="rows.jsonl"):
    path = tmp_path / f"{name}{packing}"
    path.write_bytes(data)
    return Source(path.name, str(path))


def until_damage(source, size=4096):
    got = b""
    try:
        for block in blocks_of(source, size):
            got += block
    except OSError as error:
        return got, str(error)
    return got, ""


def test_every_packing_has_its_suffix_and_opener():
    assert set(PACK) == set(PACKED) == set(unpacking.UNPACK) - {""}


@packings
def test_a_packed_file_is_unpacked_by_its_suffix(tmp_path, packing):
    source = packed(tmp_path, packing, PACK[packing](b"Hi\n"))
    with open_bytes(source) as file:
        assert file.read() == b"Hi\n"
    assert (head(source), format_of(source)) == (b"Hi\n", "jsonl")


@packings
def test_pieces_that_were_packed_apart_are_one_file(tmp_path, packing):
    source = packed(tmp_path, packing, b"".join(PACK[packing](piece) for piece in (b"one ", b"", b"two ", NOISE)))
    assert until_damage(source) == (b"one two " + NOISE, "")


@packings
def test_of_a_cut_file_comes_what_stands_before_the_cut_then_the_error(tmp_path, packing):
    whole = PACK[packing](NOISE)
    got, error = until_damage(packed(tmp_path, packing, whole[: len(whole) // 2]))
    assert NOISE.startswith(got)
    assert len(got) > (0 if packing == ".bz2" else 0.4 * len(NOISE))  # bzip2 unpacks 900 kB at once, or nothing
    assert error


@packings
def test_a_whole_piece_before_a_cut_one_comes_in_full(tmp_path, packing):
    source = packed(tmp_path, packing, PACK[packing](b"whole\n") + PACK[packing](NOISE)[:40])
    got, error = until_damage(source)
    assert got.startswith(b"whole\n")
    assert error


@packings
def test_a_file_that_only_says_that_it_is_packed_cannot_be_read(tmp_path, packing):
    source = packed(tmp_path, packing, b"plain text\n", "a")
    with pytest.raises(SourceError, match=r"a\.\w+: cannot be read \(.+\)\.$"):
        head(source)
    assert until_damage(source)[0] == b""


@packings
def test_an_error_comes_again_when_the_file_is_read_on(tmp_path, packing):
    source = packed(tmp_path, packing, PACK[packing](NOISE)[:-20])
    with open_bytes(source) as file:
        for _ in range(3):
            with pytest.raises(OSError, match=r"."):
                list(iter(partial(file.read1, 1 << 20), b""))


@packings
def test_a_file_packed_twice_says_so(tmp_path, packing):
    source = packed(tmp_path, packing, PACK[packing](gzip.compress(b"Hi")))
    with pytest.raises(SourceError, match=rf"packed twice \(\.gz in \{packing}\)\. Unpack it once\.$"):
        open_bytes(source)


@packings
@given(data=st.binary(max_size=2000), seeks=st.lists(st.integers(0, 2000), max_size=5))
def test_seeking_in_a_packed_file_is_seeking_in_its_bytes(tmp_path_factory, packing, data, seeks):
    source = packed(tmp_path_factory.mktemp("seek"), packing, PACK[packing](data))
    with Path(source.path).open("rb") as stored, Unpacked(stored, packing) as file:
        for goal in seeks:
            assert file.seek(goal) == min(goal, len(data))
            assert file.readall() == data[goal:]
        assert file.seek(0, io.SEEK_END) == len(data)


@packings
def test_a_bomb_that_is_read_whole_is_refused(tmp_path, packing, monkeypatch):
    monkeypatch.setattr(unpacking, "MOST_WHOLE", 1 << 20)
    source = packed(tmp_path, packing, PACK[packing](bytes(2 << 20)), "page.html")
    (rejection,) = html(source)
    assert rejection.error == "the page cannot be read to its end (unpacked, it has more than 1 MiB)"


@packings
def test_the_rows_before_a_cut_are_read_and_the_rest_is_rejected(tmp_path, packing):
    rows = b"".join(b'{"text": "%d"}\n' % number for number in range(3))
    whole = PACK[packing](NOISE + b"\n")
    source = packed(tmp_path, packing, PACK[packing](rows) + whole[: len(whole) // 2])
    (first, *rest) = jsonl(source)
    assert first.table["text"].to_pylist() == ["0", "1", "2"]
    assert "cannot be read to its end" in rest[-1].error


@packings
def test_a_bomb_ends_where_it_is_known_as_one(tmp_path, packing):
    source = packed(tmp_path, packing, PACK[packing](bytes(80 << 20)), "zeros.csv")
    got, error = until_damage(source, 1 << 20)
    assert got == bytes(len(got))
    assert 64 << 20 <= len(got) < 66 << 20
    assert error == "a bomb: it unpacks to more than 64 MiB and 500 times its size"


@packings
def test_what_is_large_and_packs_as_well_as_text_can_is_no_bomb(tmp_path, packing):
    noise = random.Random(0).randbytes(1 << 20)
    source = packed(tmp_path, packing, PACK[packing](noise + bytes(80 << 20)), "zeros.csv")
    assert sum(map(len, blocks_of(source, 1 << 20))) == 81 << 20


MEASURED = """
import json, resource, sys
from pipeline.sources import Source, blocks_of
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
size = sum(map(len, blocks_of(Source("zeros", sys.argv[1]), 1 << 20)))
print(json.dumps([size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before]))
"""


@packings
def test_sixty_megabytes_of_zeros_are_read_in_a_few_megabytes(tmp_path, packing):
    source = packed(tmp_path, packing, PACK[packing](bytes(60 << 20)), "zeros")
    done = subprocess.run([sys.executable, "-c", MEASURED, source.path], capture_output=True, check=True)
    size, grown = json.loads(done.stdout)
    assert size == 60 << 20
    assert grown < 32 << 10  # KiB
