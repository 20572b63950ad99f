"""The errors of this package."""

__pivot_module__ = "pivot_fingerprint"


class FingerprintError(Exception):
    """Base class of all errors of this package; the text is one sentence for the reader."""


class ManifestError(FingerprintError):
    """JSON data is not a valid manifest; `field` names the invalid place."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(field, problem)
        self.field = field
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.problem} @ {self.field}"


class NotCallableError(FingerprintError, TypeError):
    """The object to fingerprint is not callable."""

    def __init__(self, value: object) -> None:
        super().__init__(value)
        self.value = value

    def __str__(self) -> str:
        return f"only something callable has a fingerprint, not a {type(self.value).__qualname__}"
