"""The commands of `matinee store`, one a file."""
