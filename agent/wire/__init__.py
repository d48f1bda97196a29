"""wire: plain data that both programs share. The collector may import this package and nothing else of the
agent."""
