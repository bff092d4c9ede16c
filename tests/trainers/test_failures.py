import pytest

pytest.importorskip("torch")

import safetensors
import torch

from pipeline.errors import StoreError, TrainingError
from trainers.failures import enough_memory, writing


def test_too_little_memory_says_what_to_lower_and_what_is_kept():
    with (
        pytest.raises(
            TrainingError, match=r"batches of 4 x 2,048 tokens \(CUDA out of memory\)\. Lower micro_batch_size"
        ) as caught,
        enough_memory(micro_batch_size=4, longest=2048),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has ...")
    assert str(caught.value).endswith("Of this training nothing is kept; the token rows are.")


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (safetensors.SafetensorError("Error while serializing: I/O error"), "Error while serializing: I/O error"),
    ],
)
def test_a_disk_that_refuses_is_named_with_its_reason(tmp_path, error, why):
    with pytest.raises(StoreError, match=f"{tmp_path}: cannot write .{why}.*this training begins anew"), writing(tmp_path):
        raise error
