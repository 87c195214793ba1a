"""`matinee train`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_settings import CliPositionalArg
from rich.console import Console

from matinee.command import Result
from matinee.errors import UsageError
from matinee.settings import progress_console
from training.artefact import check_place
from training.commands.holding_out import HoldingOut
from training.data.ratings import Ratings
from training.embeddings import Embeddings, write_embeddings
from training.evaluation.evaluate import HeldOut
from training.fitting.config import FitConfig
from training.fitting.export import catalogue_of, described
from training.fitting.native_log import muted

if TYPE_CHECKING:
    from training.fitting.fit import Fit


class Train(HoldingOut, FitConfig):  # type: ignore[misc]  # settings' model_config is a wider TypedDict
    """Learn embeddings and biases from ratings.

    rating(u, i) = global_bias + b_u + b_i + p_u · q_i, fitted by Adam to the squared error of the ratings, with L2 on
    what each rating looks up. A part of the ratings decides when to stop; the best epoch is kept.
    """

    examples = """
    examples:
      matinee train ml-latest-small embeddings
      matinee train ml-20m.zip embeddings --test-fraction 0.1 --test-out test.csv
      matinee train plays.parquet embeddings --user-column listener --item-column track --rating-column stars
      matinee train ml-latest-small embeddings --dim 128 --save-model keras-model --overwrite
    """

    ratings: CliPositionalArg[Path]
    """A file of ratings, a .zip, or a folder that holds one."""

    out: CliPositionalArg[Path]
    """Folder to write the embeddings to."""

    save_model: Path | None = None
    """Folder to write the Keras weights and the model's configuration to."""

    overwrite: bool = False
    """Replace what is there."""

    def run(self) -> Result:
        """Read, fit, measure, write; the description that the manifest carries, and the counts."""
        self._check_flags()
        console = progress_console()
        ratings, test = self.read_divided(self.ratings, self.seed)
        _say_counts(ratings, test, console)
        # What can't be measured is said now, not after the fit.
        catalogue = catalogue_of(ratings)
        held_out = None if test is None else HeldOut.of(test, catalogue)
        fit = self._fit(ratings, console)
        embeddings = described(fit, ratings, catalogue, held_out, self)
        self._write(embeddings, test, fit)
        return {
            "embeddings": str(self.out),
            "n_users": embeddings.n_users,
            "n_items": embeddings.n_items,
            "n_ratings": len(ratings),
            "n_repeated": ratings.n_repeated,
            **embeddings.description,
        }

    def show(self, result: Result, console: Console) -> None:
        """Two lines."""
        metrics: dict[str, Any] = result["metrics"]  # type: ignore[assignment]  # a dict, as run makes it
        console.print(f"best epoch {metrics['best_epoch']}: validation RMSE {metrics['val_rmse']:.4f}", highlight=False)
        if "test" in metrics:
            test = metrics["test"]
            console.print(
                f"on {test['n_ratings']:,} test ratings: RMSE {test['rmse']:.4f}, MAE {test['mae']:.4f}"
                f" ({test['n_unknown']:,} unknown and {test['n_seen']:,} trained on left out)",
                highlight=False,
                soft_wrap=True,
            )
        console.print(f"embeddings written to {self.out}", highlight=False, markup=False, soft_wrap=True)

    def _check_flags(self) -> None:
        """Refuse before hours of work what would fail after them."""
        self.check_holding_out(overwrite=self.overwrite)
        if self.save_model is not None and self.save_model.absolute() == self.out.absolute():
            raise UsageError("--save-model and OUT are the same folder; each needs its own")
        for folder in (self.out, self.save_model):
            if folder is not None:
                check_place(folder, overwrite=self.overwrite)

    def _fit(self, ratings: Ratings, console: Console) -> "Fit":
        with console.status("starting TensorFlow"), muted():
            from training.fitting.fit import devices, fit

            found = devices()
        console.print(f"fitting on {found}", highlight=False)
        return fit(ratings, self, console)

    def _write(self, embeddings: Embeddings, test: Ratings | None, fit: "Fit") -> None:
        """The embeddings come last: where they are, all is."""
        if test is not None:
            self.write_test(test)
        if self.save_model is not None:
            from training.fitting.model import save_model

            save_model(fit.model, self.save_model, overwrite=self.overwrite)
        write_embeddings(embeddings, self.out, overwrite=self.overwrite)


def _say_counts(ratings: Ratings, test: Ratings | None, console: Console) -> None:
    held_out = f"; {len(test):,} more to test on" if test is not None else ""
    console.print(
        f"{len(ratings):,} ratings of {ratings.n_items:,} items by {ratings.n_users:,} users{held_out}", highlight=False
    )
