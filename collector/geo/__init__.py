"""geo: what place data says about public addresses and place names. The collector asks nobody: the data is on disk."""
