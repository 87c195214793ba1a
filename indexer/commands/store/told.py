"""What the commands of `matinee store` share: their arguments, and how versions are told to people."""

from pydantic import Field
from pydantic_settings import CliPositionalArg

from matinee.settings import Command


class StoreCommand(Command):
    """A command about one store."""

    store: CliPositionalArg[str]
    """The folder of published bundles, or the URL of one in a bucket: s3://BUCKET/PREFIX."""


class ChangingCommand(StoreCommand):
    """A command that changes one store."""

    wait_s: float = Field(default=0, ge=0)
    """How many seconds to wait where another process is changing the store."""


def data_size(n_bytes: int) -> str:
    """Such as "38.2 MB"."""
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        if n_bytes >= 1000**power:
            return f"{n_bytes / 1000**power:.1f} {unit}"
    return f"{n_bytes} B"


def age(seconds: float) -> str:
    """Such as "5 min"; "0 s" where the clock is behind."""
    seconds = max(0.0, seconds)
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
