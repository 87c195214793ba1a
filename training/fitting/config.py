"""How a model is fit: one frozen set of values, the same for the library, the command line and the manifest."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_STEPS_PER_EPOCH = 200
_SMALLEST_BATCH, _LARGEST_BATCH = 32, 32_768


class FitConfig(BaseModel):
    """The values that decide a fit; the defaults are meant for ratings of any size."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    objective: Literal["rating"] = "rating"
    """What the model learns: rating = to predict ratings, by squared error."""

    dim: int = Field(default=64, ge=1, le=4096)
    """Width of the embeddings."""

    seed: int = Field(default=42, ge=0, lt=2**32)
    """Of the splits, the first embeddings and the order of the ratings; the same seed gives the same model."""

    epochs: int = Field(default=50, ge=1)
    """At most this many passes over the ratings."""

    patience: int = Field(default=3, ge=1)
    """Stop after this many epochs without a better validation RMSE, and go back to the best."""

    batch_size: int | None = Field(default=None, ge=1)
    """Ratings a step; chosen from their number where absent."""

    learning_rate: float = Field(default=2e-3, gt=0, allow_inf_nan=False)
    """Of Adam."""

    regularisation: float = Field(default=0.12, ge=0, allow_inf_nan=False)
    """Weight of the squared embeddings that a rating looks up, against its squared error."""

    bias_regularisation: float = Field(default=0.05, ge=0, allow_inf_nan=False)
    """Weight of the squared biases that a rating looks up, against its squared error."""

    validation_fraction: float = Field(default=0.1, gt=0, lt=1)
    """Part of the training ratings that decides when to stop; the model is not fit to it."""

    def fit_values(self) -> dict[str, Any]:
        """The fields of this class alone, without those that a command adds."""
        return self.model_dump(include=set(FitConfig.model_fields))


def chosen_batch_size(n_ratings: int) -> int:
    """A power of two that divides `n_ratings` into 200 to 400 steps, between 32 and 32,768.

    Fewer, larger steps are faster but learn less in an epoch. At MovieLens 20M's shape 32,768 makes 494 steps.
    """
    wanted = max(n_ratings // _STEPS_PER_EPOCH, 1)
    return min(max(1 << (wanted.bit_length() - 1), _SMALLEST_BATCH), _LARGEST_BATCH)
