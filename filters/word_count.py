"""Words: text -> how many; the smallest filter."""

import numpy as np

from filters import kernels
from filters.kinds import Offsets, Texts, measure


@measure(version=2)
def word_count(texts: Texts, offsets: Offsets) -> kernels.Values:
    """Count the words of a document: runs of letters, digits and their marks; a Chinese or Japanese character is a word.

    >>> import pyarrow as pa
    >>> word_count(pa.array(["It's 2 words?", "数据 ok", "!"], pa.large_string()), np.array([0, 1, 2, 3]))
    array([4., 3., 0.])
    """
    data, text_offsets = kernels.buffers(texts)
    counts = kernels.count_words(data, text_offsets, kernels.classes())
    return kernels.sum_by_document(counts, offsets).astype(np.float64)
