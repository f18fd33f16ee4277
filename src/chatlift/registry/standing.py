"""What serves of a model, and what the gate said of a newer version, in one sentence.

Input: a model's versions, as the registry lists them. Output: a `Standing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chatlift.registry.versions import NoChampion, Version
from chatlift.vocabulary import ModelName


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a model stands."""

    model: ModelName
    champion: Version | None
    """The version that serves; None: none does."""
    passed_over: Version | None
    """The newest version, where it came after the champion and does not serve; None: there is
    none such."""

    @property
    def sentence(self) -> str:
        """Say what serves, and which newer version was refused or kept back, and by what check.

        Without commands, so that it fits an answer of the API as well.
        """
        if self.champion is None:
            return NoChampion(self.model, self.passed_over).sentence
        serves = f"{self.model} v{self.champion.number}"
        if self.passed_over is None:
            return f"{serves} serves."
        return f"{serves} goes on serving: {self.passed_over.judgement}"


def standing_of(model: ModelName, versions: Sequence[Version]) -> Standing:
    """Return where a model stands.

    Parameters
    ----------
    versions
        Those of the model, the newest first; of others, too, does not matter.
    """
    own = [version for version in versions if version.model == model]
    champion = next((version for version in own if version.is_champion), None)
    newest = next(iter(own), None)
    is_newer = newest is not None and (champion is None or newest.number > champion.number)
    return Standing(model=model, champion=champion, passed_over=newest if is_newer else None)
