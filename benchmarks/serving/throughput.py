"""How many requests a second a server answers."""

from collections.abc import Sequence
from statistics import median

from benchmarks.serving import h2load
from benchmarks.serving.questions import Question, answers

CONNECTIONS = 16


def per_s(address: str, questions: Sequence[Question], calls: int = 500) -> float:
    """Answers a second on 16 connections, each with one call at a time: the median over the users.

    `calls`: of each connection for each user. Exits where a call was refused.
    """
    sizes = [len(data) for data in answers(address, [question.call for question in questions])]
    runs = [
        h2load.answered(h2load.closed(address, question.body, CONNECTIONS, calls * CONNECTIONS), size)
        for question, size in zip(questions, sizes, strict=True)
    ]
    return round(median(run.per_s for run in runs), 1)
