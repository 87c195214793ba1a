"""`matinee download`."""

from pathlib import Path
from typing import Literal

from pydantic_settings import CliPositionalArg
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from matinee.command import Result
from matinee.settings import Command, progress_console
from training.data.download import BASE_URL, download


class Download(Command):
    """Fetch a MovieLens data set by name, verify it and unpack it.

    A download that was cut off goes on where it ended when the same command runs again. MovieLens data may be used for
    research; read the README.txt that comes with it before any other use.
    """

    examples = """
    examples:
      matinee download ml-latest-small
      matinee download ml-20m data/ml-20m
    """

    name: CliPositionalArg[Literal["ml-latest-small", "ml-1m", "ml-20m", "ml-25m", "ml-32m"]]
    """Which: 100 thousand, 1, 20, 25 or 32 million ratings."""

    out: CliPositionalArg[Path | None] = None
    """The folder to make; NAME in the current folder where absent."""

    base_url: str = BASE_URL
    """Where the archives lie."""

    def run(self) -> Result:
        """Fetch, verify, unpack."""
        out = self.out or Path(self.name)
        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        with Progress(self.name, *columns, console=progress_console()) as bar:
            task = bar.add_task("", total=None)
            md5 = download(
                self.name, out, self.base_url, lambda done, total: bar.update(task, completed=done, total=total)
            )
        return {"name": self.name, "folder": str(out), "md5": md5, "files": sorted(path.name for path in out.iterdir())}

    def show(self, result: Result, console: Console) -> None:
        """Where it lies, and what to do next."""
        console.print(f"{result['folder']}: {self.name}, verified", highlight=False, soft_wrap=True)
        console.print(f"next: matinee ratings {result['folder']}", highlight=False, soft_wrap=True)
