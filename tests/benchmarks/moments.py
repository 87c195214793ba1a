"""Moments to ask at."""

import numpy as np
from numpy.typing import NDArray


def evenly(n: int, seconds: float, n_questions: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """`n` moments within `seconds`, and the questions by turns."""
    return np.linspace(0.0, seconds, n), np.arange(n) % n_questions
