"""Which index: the candidates, their tuning, their measurement and the decision, each in a module of its own."""
