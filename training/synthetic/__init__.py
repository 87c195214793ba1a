"""Synthetic ratings shaped like MovieLens, with planted taste groups that a model can find."""
