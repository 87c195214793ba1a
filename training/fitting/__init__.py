"""Ratings in memory → a fitted model: objectives, solvers, and what decides between them."""
