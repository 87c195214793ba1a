import io

import numpy as np
import pytest
from rich.console import Console

from tests.training.tastes import two_tastes
from tests.world import predicted_ratings
from training.data.ratings import Ratings
from training.fitting.config import FitConfig
from training.fitting.export import catalogue_of, described
from training.fitting.fit import Fit, fit
from training.fitting.progress import Report

SMALL = FitConfig(dim=4)


def fitted(ratings: Ratings, config: FitConfig = SMALL) -> tuple[Fit, str]:
    log = io.StringIO()
    with Report(Console(file=log, width=120)) as report:
        return fit(ratings, config, report), log.getvalue()


@pytest.fixture(scope="module")
def tastes() -> tuple[Ratings, Fit, str]:
    ratings = two_tastes()
    return ratings, *fitted(ratings)


def test_it_learns_that_even_users_like_even_items(tastes: tuple[Ratings, Fit, str]) -> None:
    ratings, result, _ = tastes
    embeddings = described(result, ratings, catalogue_of(ratings), None, SMALL)
    predicted = np.stack([predicted_ratings(embeddings, user) for user in range(embeddings.n_users)])
    same = np.add.outer(np.arange(60), np.arange(40)) % 2 == 0
    assert predicted[same].min() > 4
    assert predicted[~same].max() < 2
