"""The four stages, each one function from artifacts to an artifact: `ingest` -> `clean` -> `tokenize` -> `train`."""
