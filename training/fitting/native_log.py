"""TensorFlow without the notes that it writes to standard error while it is imported."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def muted() -> Iterator[None]:
    """Import TensorFlow inside it: a command's standard error is for people.

    The C++ part writes before its log level is read, and past Python's sys.stderr, so the descriptor itself is turned
    away. What goes wrong in the import is raised and loses nothing. The level, where the environment sets none, and
    the backend of Keras hold for what follows.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
