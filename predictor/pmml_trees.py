"""Whether the trees of a PMML document are what sklearn-pmml-model takes them for.

For: refusing a tree that it would evaluate to something else than the document says.
Must not know: files, parsers, who evaluates.

It reads the first of two branches and takes the other for its opposite, and it takes the counts
of a leaf for its probabilities.
"""

from collections.abc import Mapping

_OPPOSITES = {
    ("lessOrEqual", "greaterThan"),
    ("greaterThan", "lessOrEqual"),
    ("lessThan", "greaterOrEqual"),
    ("greaterOrEqual", "lessThan"),
}
_TOLERANCE = 1e-6

_Predicate = tuple[str, str, str]


class Trees:
    """Fed with every element in the order of the document; `problem` is "" for plain trees."""

    def __init__(self) -> None:
        self.problem = ""
        self._branches: list[list[_Predicate]] = []  # of each open node, its children's
        self._shares: list[list[tuple[float, str]]] = []  # of each open node, counts and claims

    def start(self, name: str, given: Mapping[str, str]) -> None:
        """An element starts."""
        if name == "Node":
            self._branches.append([])
            self._shares.append([])
            if not given.get("score"):
                self.problem = self.problem or "has a node without a score"
        elif name == "SimplePredicate" and len(self._branches) > 1:
            said = (given.get("field", ""), given.get("operator", ""), given.get("value", ""))
            self._branches[-2].append(said)
        elif name == "ScoreDistribution" and self._shares:
            count = _number(given.get("recordCount", ""))
            self._shares[-1].append((count, given.get("confidence", "")))
        elif name == "TreeModel" and given.get("noTrueChildStrategy", "") == "returnLastPrediction":
            self.problem = self.problem or "has the strategy returnLastPrediction"

    def end(self, name: str) -> None:
        """An element ends."""
        if name == "Node" and self._branches:
            problem = _of_branches(self._branches.pop()) or _of_shares(self._shares.pop())
            self.problem = self.problem or problem


def _of_branches(branches: list[_Predicate]) -> str:
    if not branches:
        return ""
    if len(branches) == 2:
        (field, operator, value), (other, opposite, same) = branches
        if field == other and value == same and (operator, opposite) in _OPPOSITES:
            return ""
    return "has a node whose branches are not two opposites"


def _of_shares(shares: list[tuple[float, str]]) -> str:
    total = sum(count for count, _ in shares)
    for count, claimed in shares:
        if claimed and abs(count - _number(claimed) * total) > _TOLERANCE * max(total, 1):
            return "has a leaf whose confidences are not its counts"
    return ""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
