"""How calls come in: the listeners that `server/rpc.py`'s methods stand behind."""
