"""store: everything that is kept: tables, the one writer, and the queries that the rest may ask."""
