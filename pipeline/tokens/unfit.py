"""What a conversation is that cannot be tokenized with a proved mask."""


class Unfit(Exception):  # noqa: N818  the name says the error
    """A conversation that cannot be tokenized with a proved mask: which proof failed, why, and at which message."""

    def __init__(self, measure: str, reason: str, message: int | None = None) -> None:
        self.measure, self.reason, self.message = measure, reason, message
        super().__init__(reason)
