"""What can go wrong around the source; what the source itself raises is in `cloudflare_oauth.errors`.

SyncError
├── UsageError              an option or a setting that cannot be used; nothing was requested or written
├── BusyError               someone else is writing to the same dataset
├── DestinationError        the destination refused
└── InterruptedSyncError    someone pressed Ctrl-C
"""


class SyncError(Exception):
    """Base of every error of this package."""


class UsageError(SyncError):
    """An option or a setting that cannot be used; nothing was requested or written."""


class BusyError(SyncError):
    """Someone else is writing to the same dataset."""


class DestinationError(SyncError):
    """The destination refused to be opened, read or written."""


class InterruptedSyncError(SyncError):
    """Someone pressed Ctrl-C, or the process was told to end."""
