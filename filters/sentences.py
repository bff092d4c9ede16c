"""Sentences: text -> how many; where each ends is in `kernels.sentences`."""

import numpy as np

from filters import kernels
from filters.kernels.sentences import sentence_ends
from filters.kinds import Offsets, Texts, measure


@measure(version=1)
def sentence_count(texts: Texts, offsets: Offsets) -> kernels.Values:
    """Count the sentences of a document; a line break ends one, and white space alone is none.

    >>> import pyarrow as pa
    >>> sentence_count(pa.array(["Is it 3.5? Mr. X says so.", "a\\n\\nb", " "], pa.large_string()), np.arange(4))
    array([2., 2., 0.])
    """
    data, text_offsets = kernels.buffers(texts)
    bounds, _ = sentence_ends(data, text_offsets, white_space=False)
    return kernels.sum_by_document(np.diff(bounds), offsets).astype(np.float64)
