"""Footnote: answers from your own documents, each sentence with its proof.

Data runs one way through the house; a module imports only from floors below its own, and `lint-imports` holds it to it.

    0  types, errors                        the records and the errors a person may see
    1  config, device                       Settings, the only reader of the environment; GPU or CPU, and which
       precedence                           questions before documents, and the earlier one first: who computes when
       timings                              what an answer cost
       accounts                             who may sign in: names and hashed passwords
    2  models, models_*                     weights: the table of them, how they are fetched and verified
       tokens                               counts tokens, and says which embedding model it is, without loading one
       loaders, loaders_*                   a file -> pages
       speech                               the model that recordings are read with, fetched when one is met
       splitter; headings                   pages -> chunks; the headings over a chunk as a path
       topics                               pages -> what they can be asked about, by their headings
       embeddings, embeddings_*             texts -> vectors: which engine, the engines, a model converted
       prompts                              the wording
       llm, llm_*; chat                     the language model and its backends; what the local ones share
       database                             an SQLite file: threads, transactions, errors
    3  manifest, manifest_reading; store,   SQLite, the truth, written and read;
       store_chroma                         Chroma, the vector index made from it
       ingestion_files                      which files are to come in
       parsing, parsing_worker              files read in child processes: within bounds, and without the network
       conversations                        what was asked and answered, and whose it is
       page_image                           a page of a PDF, or a picture, with marks over a passage
       names                                what a sentence speaks of that another text does not
    4  ingestion_changes, _readers, _writer what has changed; files read ahead; the one who embeds and commits
       citations                            the checking of an answer: which source holds which sentence
       ranking                              which chunks answer a question best, which of them make one passage
       follow_ups                           a question that goes on from earlier ones, made to stand by itself
       refusal                              whether passages hold the answer, and which of them
       ingestion, retriever                 files in, by way of the three above; passages out
       named_collections                    collections made, renamed and removed; documents moved between them
    5  chain; alone                         question -> Sources, Tokens, Answer; the same from the model's memory
       passages                             a citation -> the passage in its surroundings, its page, its best sentences
       loaded_models                        the language models in memory; one loads while others answer
    6  library                              one open library: everything above wired together, once
       visitors                             who of those who look at the page sees and changes which documents
       sign_in                              the layer in front of Gradio that knows who is signed in, and refuses others
    7  evaluate, evaluate_*                 the measuring stick: a question set -> a table of scores
       calibrate                            a question set -> the numbers by which refusal decides
       ui, ui_*; terminal                   the page, which knows only types and errors; words and bars in a terminal
       __main__                             the command line (beside app.py and ingest.py)

Nothing is re-exported here, so that importing any part stays fast.
"""

import os
import sys

# OpenVINO tells Google Analytics of every import and conversion, unasked, unless its reporter cannot be imported.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None is Python's own way to say so
# ONNX Runtime keeps an identity of the machine and tells Microsoft of every model it opens, unless this is in C's own
# environment before it is loaded; its disable_telemetry_events() comes too late.
os.putenv("ORT_DISABLE_TELEMETRY", "1")
