"""A model beside its baselines on ratings that it was not fit to."""
