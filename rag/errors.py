"""The errors a person may be shown. `str(error)` says what happened, to which file or setting, and what to do."""


class RagError(Exception):
    """Anything Footnote can explain to a person. The edges (page, command line) show `str(error)` and nothing more."""


class SettingError(RagError):
    """A setting (an environment variable or a flag) has a value that cannot be used."""


class DocumentError(RagError):
    """A document could not be read. The reason completes the sentence "FILE was not added: ..."."""


class ModelError(RagError):
    """A model's weights are missing or altered, or its server does not answer."""


class LibraryError(RagError):
    """The library on disk cannot be opened, read or written as asked."""


class EvaluationError(RagError):
    """A question set or a file of results cannot be read, or two results cannot be compared."""
