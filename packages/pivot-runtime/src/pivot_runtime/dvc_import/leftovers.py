"""Parts of a DVC project that an import cannot carry, with their places and what to do about them."""

import attrs

from pivot_core.values import Value


@attrs.frozen(eq=False, repr=False)
class Leftover(Value):
    """One part.

    Attributes:
        where: Its ``file:line``, or its file.
        problem: The part, and why it is not carried.
        remedy: A way to get the same; "" if nothing is lost that a result depends on.
    """

    where: str
    problem: str
    remedy: str = ""

    @property
    def needs_work(self) -> bool:
        """Return whether the user has to do something."""
        return bool(self.remedy)

    def to_plain(self) -> dict[str, str]:
        """Return the leftover as data for JSON."""
        plain = {"where": self.where, "problem": self.problem}
        return {**plain, "remedy": self.remedy} if self.remedy else plain
