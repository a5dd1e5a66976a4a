"""Errors that reach a person: one line that says what, where and what to do."""


class EdgeloupeError(Exception):
    """Root of every error edgeloupe raises on purpose; its text is the line the user reads."""


class ConfigError(EdgeloupeError):
    """A configuration or recipe file can't be used; the text lists every mistake, one per line."""


class PictureError(EdgeloupeError):
    """A picture is missing, unreadable, too large or of a kind that is not accepted."""


class CameraError(EdgeloupeError):
    """A camera can't be opened or has stopped giving pictures."""


class CameraStalledError(CameraError):
    """A camera that gave pictures gives none any more, and does not say why."""


class CameraRefusedError(CameraError):
    """A camera will not let us in: trying again at once would only lock the account."""


class TriggerError(EdgeloupeError):
    """What says when a picture is wanted can't be reached."""


class BundleError(EdgeloupeError):
    """A model bundle is damaged, unsigned, tampered with or not meant for this device."""


class ModelError(EdgeloupeError):
    """A network can't be loaded or run, or is not a segmentation model edgeloupe understands."""


class DatasetError(EdgeloupeError):
    """A folder of pictures and masks can't be used as it stands."""


class BrokerError(EdgeloupeError):
    """The MQTT broker can't be reached or refuses this device."""


class OutboxError(EdgeloupeError):
    """The alert store can't be opened or written."""


class OutboxFullError(OutboxError):
    """There is no room on the disk for another alert."""


class OutboxDamagedError(OutboxError):
    """The alert store's file is broken: it is salvaged when the daemon starts again."""


class SinkError(EdgeloupeError):
    """The other side of a sink can't be reached, or fails; it is tried again."""


class RefusedError(SinkError):
    """The other side is there and does not want this alert, whatever it may say to the next one."""
