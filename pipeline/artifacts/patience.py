"""A question to object storage -> its answer, however often it must be asked; or one line that says what to do."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from pipeline.errors import StoreError
from pipeline.sources.remote import OF_THIS_DISK

Answer = TypeVar("Answer")

PATIENCE = 120.0  # seconds that a server which has answered before may be away
FIRST = 10.0  # seconds that one may take to answer for the first time: a wrong name never does
PAUSES = (0.5, 15.0)  # seconds between two tries: the first, and the longest
DRIVERS = {
    "s3": "pip install 'prep[cloud]'",
    "s3a": "pip install 'prep[cloud]'",
    "gs": "pip install 'prep[cloud]'",
    "gcs": "pip install 'prep[cloud]'",
    "abfs": "pip install adlfs",
    "az": "pip install adlfs",
}
LASTING = (PermissionError, ImportError, ValueError)
DEFECTS = (TypeError, LookupError, AttributeError, NameError, AssertionError)
NO_CREDENTIALS = ("CredentialsError", "CredentialRetrievalError", "TokenRetrievalError", "TokenLoadError", "SSOError")
_heard: set[str] = set()  # URLs that have answered


class Forbidden(StoreError):  # noqa: N818  the name says the error
    """The credentials do not allow it."""


def ask(url: str, question: Callable[[], Answer], closed: threading.Event) -> Answer:
    """Ask until there is an answer, or nobody waits for it any more.

    What is not there (`FileNotFoundError`), or there already, and what this disk refuses (`OSError`), comes as it is; whatever
    else goes wrong in the end is a `StoreError` of one line without secrets, `Forbidden` where the credentials are the cause.
    """
    start, pause = time.monotonic(), PAUSES[0]
    while True:
        try:
            answer = question()
        except Exception as error:
            if _is_answer(error):
                raise
            waited = time.monotonic() - start
            if _lasts(error) or waited + pause > (PATIENCE if url in _heard else FIRST):
                raise _error(url, error, waited) from error
        else:
            _heard.add(url)
            return answer
        if closed.wait(pause):
            raise StoreError(f"{url}: given up.")
        pause = min(2 * pause, PAUSES[1])


def wait_for(url: str) -> None:
    """Be patient with a server from the first question on: it has answered another process."""
    _heard.add(url)


def _error(url: str, error: Exception, waited: float) -> StoreError:
    scheme = url.partition("://")[0]
    if isinstance(error, ImportError):
        return StoreError(f"{url}: {scheme}:// needs a driver. Install it with: {DRIVERS.get(scheme, error)}")
    if type(error).__name__.endswith(NO_CREDENTIALS):
        return StoreError(
            f"{url}: no credentials are found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what else your "
            f"cloud's driver looks for."
        )
    if isinstance(error, PermissionError):
        return Forbidden(
            f"{url}: no permission. Check the credentials that the driver finds; they must allow to list, read, "
            f"write and remove objects there."
        )
    said = " ".join((str(error) or type(error).__name__).split()).rstrip(".")[:200]
    if isinstance(error, ValueError):
        return StoreError(f"{url}: cannot be used ({said}). Check --store{_and_endpoint(scheme)}.")
    return StoreError(
        f"{url}: no answer in {waited:.0f} s ({said}). Check the network{_and_endpoint(scheme)}, and run the same "
        f"command again: finished shards are kept."
    )


def _and_endpoint(scheme: str) -> str:
    return " and AWS_ENDPOINT_URL" if scheme in ("s3", "s3a") else ""


def _is_answer(error: Exception) -> bool:
    """Tell an error for whoever has asked: there is none, or one already, or this disk refuses; or a defect.

    An upload in parts is begun anew where the server has forgotten of it.
    """
    response = getattr(error.__cause__, "response", None)  # botocore's is a dictionary, Azure's is not
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    there = isinstance(error, FileNotFoundError | FileExistsError) and code != "NoSuchUpload"
    return there or isinstance(error, DEFECTS) or (isinstance(error, OSError) and error.errno in OF_THIS_DISK)


def _lasts(error: Exception) -> bool:
    """Tell what is no better for being asked again."""
    return isinstance(error, LASTING) or type(error).__name__.endswith(NO_CREDENTIALS)
