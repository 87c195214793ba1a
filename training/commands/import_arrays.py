"""`matinee import-arrays`."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import CliPositionalArg

from matinee.command import Result
from training.commands.importing import ImportCommand
from training.importing.arrays import SideFiles, read_model
from training.importing.parquet import VectorColumns


class ImportArrays(ImportCommand):
    """Turn any model's vectors of users and items into embeddings, which matinee index takes.

    score(u, i) = global_bias + b_u + b_i + p_u · q_i, with biases of 0 where none are given. Vectors come as .npy,
    float16, float32 or float64 (n, dim), or as Parquet: a column of ids, and a column of lists or one of numbers for
    each dimension. Without ids the rows are called 0 … n-1. --ratings brings what each user has seen.
    """

    examples = """
    examples:
      matinee import-arrays out --user-embeddings users.npy --item-embeddings items.npy --ratings ml-latest-small \\
          --user-ids users.txt --item-ids items.txt
      matinee import-arrays out --user-embeddings users.parquet --item-embeddings items.parquet --items movies.csv
      matinee import-arrays out --user-embeddings p.npy --item-embeddings q.npy --scores ratings \\
          --user-biases b_u.npy --item-biases b_i.npy --global-bias 3.53
    """

    out: CliPositionalArg[Path]
    """Folder to write the embeddings to."""

    user_embeddings: Path
    """The users' vectors."""

    item_embeddings: Path
    """The items' vectors, as wide as those of the users."""

    user_biases: Path | None = None
    """The users' biases: .npy, floats (n,) or (n, 1)."""

    item_biases: Path | None = None
    """The items' biases, the same."""

    global_bias: float = Field(default=0.0, allow_inf_nan=False)
    """Added to every score."""

    user_ids: Path | None = None
    """The users' ids, in the order of their vectors: .npy of whole numbers or texts, or .txt or .csv, one in a line."""

    item_ids: Path | None = None
    """The items' ids, the same."""

    id_column: str | None = None
    """Column of the ids in Parquet files; found by its name where absent, such as user_id or item_id."""

    vector_column: str | None = None
    """Column of the vectors in Parquet files; where absent the first of lists, and else all but the ids."""

    scores: Literal["ratings", "preferences"] = "preferences"
    """Whether a score predicts a rating, or only puts items in order."""

    def run(self) -> Result:
        """Read, prove, write; what was written."""
        self.check_free(self.out)
        model = read_model(
            SideFiles("user", self.user_embeddings, self.user_biases, self.user_ids),
            SideFiles("item", self.item_embeddings, self.item_biases, self.item_ids),
            VectorColumns(self.id_column, self.vector_column),
            self.global_bias,
        )
        return self.write(model, self.out, {"origin": "arrays import", "scores": self.scores})
