"""Footnote: answers from your own documents, each sentence with its proof.

Data runs one way through the house; a module imports only from floors below its own.

    0  types, errors                        the records and the errors a person may see
    1  config                               Settings, the only reader of the environment
    2  models, loaders*, splitter,          weights; file -> pages; pages -> chunks; text -> vectors;
       embeddings, prompts, llm*            the wording; the language model and its backends
    3  manifest, store                      SQLite, the truth; Chroma, the vector index made from it
    4  ingestion, retriever, citations      files in; chunks out; the checking of an answer
    5  chain                                question -> Sources, Tokens, Answer
    6  library                              one open library: everything above wired together, once
    7  ui*, __main__                        the page; the command line (beside app.py and ingest.py)

Nothing is re-exported here, so that importing any part stays fast.
"""
