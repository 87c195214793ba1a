"""Ratings as files, as columns, in memory: read, divided, downloaded."""
