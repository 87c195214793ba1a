"""`matinee train`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field
from pydantic_settings import CliPositionalArg
from rich.console import Console

from matinee.command import Result
from matinee.errors import UsageError
from matinee.settings import progress_console
from training.artefact import check_place
from training.commands.holding_out import HoldingOut
from training.data.ratings import Ratings
from training.embeddings import Embeddings, open_embeddings, write_embeddings
from training.evaluation.evaluate import HeldOut
from training.fitting.config import FitConfig
from training.fitting.diagnosis import diagnose
from training.fitting.export import catalogue_of, described
from training.fitting.native_log import muted

if TYPE_CHECKING:
    from training.fitting.checkpoint import Checkpoint
    from training.fitting.fit import Fit


class Train(HoldingOut, FitConfig):  # type: ignore[misc]  # settings' model_config is a wider TypedDict
    """Learn embeddings and biases from ratings.

    rating(u, i) = global_bias + b_u + b_i + p_u · q_i, fitted by alternating least squares. How strongly it is
    regularised is chosen on a part of the ratings; the finished model is fit to all of them. --objective ranking
    learns to put first what a user will like, in the same shape without biases: its scores are preferences, no ratings.
    """

    examples = """
    examples:
      matinee train ml-latest-small embeddings
      matinee train ml-20m.zip embeddings --objective ranking --dim 128
      matinee train ml-20m.zip embeddings --test-fraction 0.1 --test-out test.csv
      matinee train plays.parquet embeddings --user-column listener --item-column track --rating-column stars
      matinee train tonight.csv tonight --warm-start last-night
      matinee train ml-32m.zip embeddings --resume        after a kill, a crash or Ctrl-C
    """

    ratings: CliPositionalArg[Path]
    """A file of ratings, a .zip, a folder that holds one, or a folder of matinee prepare."""

    out: CliPositionalArg[Path]
    """Folder to write the embeddings to."""

    warm_start: Path | None = None
    """Embeddings of an earlier run to go on from: what it chose holds, and a few sweeps bring it up to date."""

    resume: bool = False
    """Go on where an interrupted run of the same command stopped, to the same result."""

    checkpoint_every: float = Field(default=30.0, ge=0, allow_inf_nan=False)
    """Seconds between two checkpoints, in a hidden folder beside OUT that the finished run removes."""

    save_model: Path | None = None
    """Folder to write the Keras weights and the model's configuration to."""

    overwrite: bool = False
    """Replace what is there."""

    def run(self) -> Result:
        """Read, fit, measure, write; the description that the manifest carries, and the counts."""
        self._check_flags()
        console = progress_console()
        earlier = open_embeddings(self.warm_start) if self.warm_start else None
        ratings, test = self.read_divided(self.ratings, self.seed)
        _say_counts(ratings, test, console)
        for warning in diagnose(ratings, self):
            console.print(f"warning: {warning}", highlight=False, markup=False, soft_wrap=True)
        # What can't be measured is said now, not after the fit.
        catalogue = catalogue_of(ratings)
        held_out = None if test is None else HeldOut.of(test, catalogue)
        _start_tensorflow(console)
        checkpoint = self._checkpoint(ratings, earlier, console)
        fit, before = self._fit(ratings, earlier, checkpoint, console)
        embeddings = described(fit, ratings, catalogue, held_out, self)
        metrics = {**embeddings.description["metrics"], **({"before": before} if before else {})}
        told = {**embeddings.description, "metrics": metrics, **self._split_told()}
        embeddings = replace(embeddings, description=told)
        self._write(embeddings, test, fit)
        if fit.interrupted:
            console.print(
                f"interrupted: the best model so far is in {self.out}; go on with the same command and --resume",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
            raise KeyboardInterrupt
        checkpoint.remove()
        return {
            "embeddings": str(self.out),
            "n_users": embeddings.n_users,
            "n_items": embeddings.n_items,
            "n_ratings": len(ratings),
            "n_repeated": ratings.n_repeated,
            **embeddings.description,
        }

    def show(self, result: Result, console: Console) -> None:
        """A few lines."""
        metrics: dict[str, Any] = result["metrics"]  # type: ignore[assignment]  # a dict, as run makes it
        lines = [f"{name} {value:.4f} on the part to choose by" for name, value in metrics.items() if "val_" in name]
        if before := metrics.get("before"):
            lines.append(
                f"the earlier model on {before['n_ratings']:,} ratings new to it: "
                f"RMSE {before['rmse']:.4f}, MAE {before['mae']:.4f}"
            )
        if test := metrics.get("test"):
            errors = (
                f"RMSE {test['rmse']:.4f}, MAE {test['mae']:.4f}" if "rmse" in test else "judge by matinee evaluate"
            )
            lines.append(
                f"on {test['n_ratings']:,} test ratings: {errors} "
                f"({test['n_unknown']:,} unknown and {test['n_seen']:,} trained on left out)"
            )
        for line in (*lines, f"embeddings written to {self.out}"):
            console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _split_told(self) -> dict[str, Any]:
        """How ratings were held out, for the manifest."""
        flags = {"fraction": self.test_fraction, "last": self.test_last, "after": self.test_after}
        given = {name: str(value) for name, value in flags.items() if value is not None}
        return {"split": {"kind": self.split, **given}} if self.split else {}

    @property
    def _replaces(self) -> bool:
        """Whether what is in the place of the results may go: --resume takes up what an interruption left there."""
        return self.overwrite or (self.resume and _is_interrupted(self.out))

    def _check_flags(self) -> None:
        """Refuse before hours of work what would fail after them."""
        self.check_holding_out(overwrite=self._replaces)
        for flag, value in (("unseen-weight", self.unseen_weight), ("liked-from", self.liked_from)):
            if value is not None and self.objective != "ranking":
                raise UsageError(f"--{flag} means something under --objective ranking alone; give both or neither")
        if self.save_model is not None and self.save_model.absolute() == self.out.absolute():
            raise UsageError("--save-model and OUT are the same folder; each needs its own")
        for folder in (self.out, self.save_model):
            if folder is not None:
                check_place(folder, overwrite=self._replaces)

    def _fit(
        self, ratings: Ratings, earlier: Embeddings | None, checkpoint: "Checkpoint", console: Console
    ) -> tuple["Fit", dict[str, Any]]:
        """The fit, and what the `earlier` model had foretold of ratings that are new to it."""
        from training.fitting.fit import fit
        from training.fitting.progress import Report
        from training.fitting.warm_start import judged_on_new, start_from

        start, before = None, {}
        if earlier is not None and self.warm_start is not None:
            start = start_from(self.warm_start, earlier, ratings, self)
            before = judged_on_new(earlier, ratings)
        with Report(console) as report:
            return fit(ratings, self, report, start=start, checkpoint=checkpoint, resume=self.resume), before

    def _checkpoint(self, ratings: Ratings, earlier: Embeddings | None, console: Console) -> "Checkpoint":
        from training.fitting.checkpoint import Checkpoint

        # By content: in the place of last night's model another one may lie by now.
        warm = None if earlier is None else earlier.content_sha256[:16]
        key = {**self.fit_values(), "fingerprint of the ratings": ratings.fingerprint, "warm start from": warm}
        checkpoint = Checkpoint(self.out.absolute().parent / f".{self.out.name}.checkpoint", key, self.checkpoint_every)
        if checkpoint.folder.exists() != self.resume:
            remark = "there is no checkpoint: starting from the beginning" if self.resume else (
                f"{checkpoint.folder}: what an interrupted run left is not used; --resume would go on from it"
            )  # fmt: skip
            console.print(remark, highlight=False, markup=False, soft_wrap=True)
        return checkpoint

    def _write(self, embeddings: Embeddings, test: Ratings | None, fit: "Fit") -> None:
        """The embeddings come last: where they are, all is."""
        if test is not None:
            self.write_test(test)
        if self.save_model is not None:
            from training.fitting.model import save_model

            save_model(fit.model, self.save_model, overwrite=self._replaces)
        write_embeddings(embeddings, self.out, overwrite=self._replaces)


def _is_interrupted(folder: Path) -> bool:
    return folder.exists() and bool(open_embeddings(folder).description.get("interrupted"))


def _start_tensorflow(console: Console) -> None:
    """Import what the fit needs, which takes seconds."""
    with console.status("starting TensorFlow"), muted():
        from training.fitting.fit import devices

        found = devices()
    console.print(f"fitting on {found}", highlight=False)


def _say_counts(ratings: Ratings, test: Ratings | None, console: Console) -> None:
    held_out = f"; {len(test):,} more to test on" if test is not None else ""
    console.print(
        f"{len(ratings):,} ratings of {ratings.n_items:,} items by {ratings.n_users:,} users{held_out}", highlight=False
    )
