"""What the tests of PII share: texts -> what is found in them."""

import pyarrow as pa
import pytest

from filters.pii import pii


@pytest.fixture(scope="session")
def found_in():
    return spans_in


@pytest.fixture(scope="session")
def matched():
    return lambda text, **settings: [span for _, span, _ in spans_in(text, **settings)]


def spans_in(*texts, **settings):
    """Return `(the text's number, the bytes matched as text, the label)` of each span."""
    array = pa.array([text.encode() if isinstance(text, str) else text for text in texts], pa.large_binary())
    found = pii(array.view(pa.large_string()), **settings)
    raw = array.to_pylist()
    spans = zip(found.text.tolist(), found.start.tolist(), found.end.tolist(), found.label.tolist(), strict=True)
    return [(row, raw[row][start:end].decode(errors="replace"), found.labels[label]) for row, start, end, label in spans]
