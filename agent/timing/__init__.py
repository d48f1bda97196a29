"""timing: the helper that times connections of remote-access tools, some seconds at a time, and ends."""
