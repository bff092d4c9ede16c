import pytest

pytest.importorskip("torch")

import safetensors
import torch

from pipeline.errors import StoreError, TrainingError
from trainers.failures import enough_memory, writing


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has ..."), "CUDA out of memory"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes. Error code 12"),
            "DefaultCPU",
        ),
        (MemoryError(), "MemoryError"),
    ],
)
def test_too_little_memory_says_what_to_lower_and_what_is_kept(error, why):
    with (
        pytest.raises(TrainingError, match=rf"batches of 4 x 2,048 tokens \({why}.*\)\. Lower micro_batch_size") as caught,
        enough_memory(micro_batch_size=4, longest=2048),
    ):
        raise error
    assert str(caught.value).endswith("That is another training, which begins anew; the token rows are kept.")


def test_an_error_that_is_not_of_memory_passes_as_it_is():
    with pytest.raises(RuntimeError, match="the shapes do not fit"), enough_memory(micro_batch_size=4, longest=2048):
        raise RuntimeError("the shapes do not fit")


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (safetensors.SafetensorError("Error while serializing: I/O error"), "Error while serializing: I/O error"),
        (RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 7 vs 5"), "the disk is full or failing"),
    ],
)
def test_a_disk_that_refuses_is_named_with_its_reason(tmp_path, error, why):
    with (
        pytest.raises(StoreError, match=f"{tmp_path}: cannot write .*{why}.*goes on from its last checkpoint"),
        writing(tmp_path),
    ):
        raise error
