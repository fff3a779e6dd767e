"""Errors that a user can mend: what is wrong, the value found, the value wanted, the way out.

The command prints the message of a `RefinerError` as one paragraph and exits with status 2; any other exception is
a fault of this program and keeps its traceback.
"""


class RefinerError(Exception):
    """Base of every error whose cause is the input or the usage."""


class UsageError(RefinerError):
    """An option or a combination of options makes no sense."""


class MissingPackageError(RefinerError):
    """A package that only some verbs need is not installed; the message names the command that brings it."""


class DatasetNotFoundError(RefinerError):
    """A folder or file that should hold data is missing or empty."""


class DepthFormatError(RefinerError):
    """A file is not a depth map that can be read as asked."""


class StoreError(RefinerError):
    """A dataset is not a valid `depth-refiner/1` store, or does not fit its use."""


class IncompleteStoreError(StoreError):
    """A dataset whose writing was interrupted; the message holds the command that continues it."""


class OutputExistsError(RefinerError):
    """An output exists and nobody asked to overwrite it."""


class CheckpointError(RefinerError):
    """A file is not a checkpoint of this program, or does not fit the data."""


class TrainingError(RefinerError):
    """Training cannot go on, for example because a loss is not finite."""


class LabelError(RefinerError):
    """Labels or bone lengths do not fit the sequence, or contradict each other."""


class LabelConflictError(LabelError):
    """Two people changed the same joint of a frame in different ways."""


class SessionError(RefinerError):
    """A folder is not an annotation session that this version can open."""


class SessionBusyError(SessionError):
    """Another process is solving the session."""


class SolveError(RefinerError):
    """What a solver needs is missing."""
