"""How exact and how fast the engines of the HTML reader are, measured in one run on one core, interleaved.

`AEB` names a copy of the public article-extraction benchmark (ground-truth.json, html/*.html.gz, evaluate.py): F1 by its own
`evaluate.py`, on all pages, on the half that the weights of `auto` are fitted to and on the other. `PAGES` names a folder of
other pages, of which some are timed. Prints figures, asserts none; `pytest -s` shows them.
"""

import gzip
import hashlib
import importlib.util
import json
import os
import random
import time
from functools import partial
from pathlib import Path

import pytest
from trafilatura import extract

from pipeline.readers.html import decode
from pipeline.readers.html.engines import read_auto, read_resiliparse, read_trafilatura


def as_it_comes(markup):
    """Return what trafilatura's defaults give, in the shape of an engine's answer; ours asks for its fast mode."""
    return extract(markup) or "", None, ""


ENGINES = {
    "trafilatura as it comes": as_it_comes,
    "trafilatura": read_trafilatura,
    "resiliparse": read_resiliparse,
    "auto": read_auto,
    "auto, Markdown": partial(read_auto, markdown=True),
}
ROUNDS = 3
MOST_PAGES = 200


def fitted(page):
    """Tell whether the weights are fitted to a page: those whose id has an even SHA-256."""
    return int(hashlib.sha256(page.encode()).hexdigest(), 16) % 2 == 0


def run(pages):
    """Return each engine's texts and its best time of `ROUNDS`, the engines taking turns."""
    texts, seconds = {}, dict.fromkeys(ENGINES, float("inf"))
    for engine in ENGINES.values():
        engine(decode(pages[0]))
    for _ in range(ROUNDS):
        for name, engine in ENGINES.items():
            start = time.perf_counter()
            texts[name] = [engine(decode(page))[0] for page in pages]
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    return texts, seconds


def show(pages, seconds, more):
    size = sum(map(len, pages))
    for name, took in seconds.items():
        slower, slow = (seconds[other] / took for other in ("trafilatura as it comes", "trafilatura"))
        ratios = f"{slower:5.1f} x its defaults, {slow:5.1f} x its fast mode"
        print(f"{name:23} {len(pages) / took:6.0f} pages/s {size / took / 1e6:6.1f} MB/s {ratios}  {more.get(name, '')}")


@pytest.mark.skipif("AEB" not in os.environ, reason="AEB names no article-extraction benchmark")
def test_articles():
    folder = Path(os.environ["AEB"])
    spec = importlib.util.spec_from_file_location("evaluate", folder / "evaluate.py")
    evaluate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(evaluate)
    truth = json.loads((folder / "ground-truth.json").read_text())
    pages = [gzip.decompress((folder / "html" / f"{key}.html.gz").read_bytes()) for key in truth]
    texts, seconds = run(pages)
    random.seed(0)
    more = {}
    for name in ENGINES:
        predicted = {key: {"articleBody": text} for key, text in zip(truth, texts[name], strict=True)}
        halves = {
            "all": list(truth),
            "held out": [k for k in truth if not fitted(k)],
            "fitted": [k for k in truth if fitted(k)],
        }
        scores = {
            half: evaluate.evaluate({k: truth[k] for k in ks}, {k: predicted[k] for k in ks}, 200)
            for half, ks in halves.items()
        }
        more[name] = "F1 " + ", ".join(f"{half} {score['f1']:.3f} ± {score['f1_std']:.3f}" for half, score in scores.items())
    print()
    show(pages, seconds, more)


@pytest.mark.skipif("PAGES" not in os.environ, reason="PAGES names no folder of pages")
def test_other_pages():
    names = sorted(path for path in Path(os.environ["PAGES"]).rglob("*.html") if path.is_file())
    chosen = random.Random(1).sample(names, min(MOST_PAGES, len(names)))
    pages = [path.read_bytes() for path in chosen]
    texts, seconds = run(pages)
    print()
    show(pages, seconds, {name: f"{sum(not text for text in texts[name])} without text" for name in ENGINES})
