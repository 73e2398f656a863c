"""Which decodes are over, though windows of later revisions are still cut."""

from __future__ import annotations

from decoder.events import TextDecoded
from streaming.signal import Window
from streaming.window import Withheld

__all__ = ["Anytime"]


class Anytime:
    """Keeps account of decodes of which several revisions come.

    A decode is over with its final revision: the last one, the one at which the stopping rule
    decided, or one that is withheld, as every later one would be, which begins where it does.

    Parameters
    ----------
    n_revisions : int
        How many windows are cut for each decode.
    """

    def __init__(self, n_revisions: int) -> None:
        self.n_revisions = n_revisions
        self._n_due: dict[str, int] = {}
        self._over: set[str] = set()

    def is_last(self, revision: int) -> bool:
        """Return whether no later one will be cut."""
        return revision == self.n_revisions - 1

    def wants(self, result: Window | Withheld) -> bool:
        """Take the next result, and return whether its decode goes on."""
        name = result.decode_id
        n_due = self._n_due.pop(name, self.n_revisions) - 1
        wanted = name not in self._over
        if n_due:
            self._n_due[name] = n_due
        else:
            self._over.discard(name)
        return wanted

    def said(self, result: Window | Withheld, decoded: TextDecoded) -> None:
        """Take what was said of a result that was wanted."""
        if decoded.final and result.decode_id in self._n_due:
            self._over.add(result.decode_id)
