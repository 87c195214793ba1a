"""The least effort with which an index finds enough: a search over settings that knows no index."""

from collections.abc import Callable, Sequence

from indexer.index import Settings
from indexer.keys import FLAT, Family, IndexKey

_EFFORTS = {
    Family.SCAN: (1,),
    # Four to each doubling: the time to scan lists grows with their number.
    Family.LISTS: tuple(sorted({round(2 ** (step / 4)) for step in range(4 * 12 + 1)})),
    Family.GRAPH: (16, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256, 320, 384, 512, 768, 1024),
}
# Lists of whole vectors are ordered right but for rounding, which equalising can make larger; shortened ones are not.
_K_FACTORS_OF_WHOLE, _K_FACTORS, _K_FACTORS_OF_CODES = (1, 2), (2,), (4, 8, 16, 32, 64, 128)


def settings_grid(key: IndexKey) -> list[list[Settings]]:
    """What may be set, as rows of one k_factor each and ascending effort."""
    efforts = [effort for effort in _EFFORTS[key.family] if effort <= (key.nlist or effort)]
    is_whole = key.family is Family.LISTS and key.quantiser == FLAT
    k_factors = _K_FACTORS_OF_CODES if key.m else _K_FACTORS_OF_WHOLE if is_whole else _K_FACTORS
    return [[Settings(effort, k_factor) for effort in efforts] for k_factor in k_factors]


def tuned(
    grid: Sequence[Sequence[Settings]],
    recall: Callable[[Settings], float],
    cost: Callable[[Settings], float],
    target: float,
    start: Settings | None = None,
) -> Settings:
    """The cheapest settings of `grid` whose `recall` is at least `target`, or where none is the last of the last row.

    Both are called as seldom as possible: recall grows along a row, and a search begins at `start`.
    """
    found: list[Settings] = []
    for row in grid:
        at = least(row, lambda settings: recall(settings) >= target, _nearest(row, start))
        if at is not None:
            found.append(row[at])
            start = row[at]
            # Where the least effort does, scoring more candidates exactly costs more for nothing.
            if at == 0:
                break
    return min(found, key=cost) if len(found) > 1 else found[0] if found else grid[-1][-1]


def least(row: Sequence[Settings], enough: Callable[[Settings], bool], start: int = 0) -> int | None:
    """The first position in `row` that is `enough`, where all after it are too; None where not even the last is."""
    below, step, at = -1, 1, start
    while not enough(row[at]):
        below = at
        if at == len(row) - 1:
            return None
        at, step = min(at + step, len(row) - 1), 2 * step
    while at - below > 1:
        middle = (at + below) // 2
        if enough(row[middle]):
            at = middle
        else:
            below = middle
    return at


def _nearest(row: Sequence[Settings], start: Settings | None) -> int:
    if start is None:
        return 0
    return next((at for at, settings in enumerate(row) if settings.effort >= start.effort), len(row) - 1)
