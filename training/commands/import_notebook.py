"""`matinee import-notebook`."""

from pathlib import Path

from pydantic_settings import CliPositionalArg

from matinee.command import Result
from training.commands.importing import ImportCommand
from training.embeddings import RATINGS
from training.importing.notebook import read_export


class ImportNotebook(ImportCommand):
    """Turn what the notebook saved into embeddings, which matinee index takes.

    SAVED_MODEL holds user_embeddings.npy, item_embeddings.npy, user_biases.npy, item_biases.npy, mappings.pkl and
    model_config.json. The pickle is read without being run: it may hold dicts, sets, numbers, texts and NumPy scalars,
    and anything else in it is refused. Titles and seen items come with it; --ratings adds the rating scale, and the
    seen items where the export has none.
    """

    examples = """
    examples:
      matinee import-notebook saved_model_cf embeddings
      matinee import-notebook saved_model_cf embeddings --ratings rating.csv --items movie.csv
      matinee index embeddings store
    """

    saved_model: CliPositionalArg[Path]
    """The folder that the notebook saved."""

    out: CliPositionalArg[Path]
    """Folder to write the embeddings to."""

    def run(self) -> Result:
        """Read, prove, write; what was written."""
        self.check_free(self.out)
        export = read_export(self.saved_model)
        description = {"origin": "notebook import", "scores": RATINGS, "config": dict(export.config)}
        return self.write(export.model, self.out, description)
