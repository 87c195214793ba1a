"""How a model is fit: one frozen set of values, the same for the library, the command line and the manifest."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class FitConfig(BaseModel):
    """What decides a fit; what is left out is chosen on a part of the training ratings."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    objective: Literal["rating", "ranking"] = "rating"
    """What the model learns: rating = to predict ratings; ranking = to put what a user will like first."""

    dim: int = Field(default=64, ge=1, le=4096)
    """Width of the embeddings."""

    seed: int = Field(default=42, ge=0, lt=2**32)
    """Of the splits and of the first embeddings; the same seed on the same machine gives the same model."""

    regularisation: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Weight of the squared embeddings and biases against the squared errors; chosen where absent."""

    unseen_weight: float | None = Field(default=None, gt=0, le=1, allow_inf_nan=False)
    """Under ranking, the weight of an item that a user has not rated against one rated; chosen where absent."""

    liked_from: float | None = Field(default=None, allow_inf_nan=False)
    """Under ranking, the rating that wholly likes an item; absent: three quarters up the scale, 4 of 5 stars."""

    sweeps: int | None = Field(default=None, ge=1)
    """How often users and items are solved in turn; chosen where absent."""

    validation_fraction: float = Field(default=0.1, gt=0, lt=1)
    """Part of the training ratings to choose by; the finished model is fit to all of them."""

    def fit_values(self) -> dict[str, Any]:
        """The fields of this class alone, without those that a command adds."""
        return self.model_dump(include=set(FitConfig.model_fields))
