"""A worker process -> one that keeps to one core."""

import os


def one_core() -> None:
    """Leave the cores to the other workers: each of them would have as many threads as there are cores."""
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["POLARS_MAX_THREADS"] = "1"
