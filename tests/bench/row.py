# SPDX-License-Identifier: MIT
"""What a row of the comparison is, and a round of measurements that several rows share."""

from systems import Failed, Missing

CLIENTS = 16  # where the row does not say how many
KEYS = 10000


class Round:
    """One pass over the chosen rows. A measurement that several of them share is made once, so that they compare what was
    measured within the same minutes."""

    def __init__(self, bench, quick, say):
        self.bench = bench
        self.seconds = 3 if quick else 8
        self.many = 1000000 if quick else 10000000
        self.say = say
        self.known = {}

    def once(self, measure):
        """What measure(round) gives, or the error that it ended with: it is not tried again for the next row."""
        if measure not in self.known:
            self.say(measure.__name__.replace("_", " "))
            try:
                self.known[measure] = measure(self)
            except (Missing, Failed) as problem:
                self.known[measure] = problem
        known = self.known[measure]
        if isinstance(known, Exception):
            raise known
        return known


class Row:
    """measure(round) → (ours, theirs). heavy: minutes long, so once and not every round."""

    def __init__(self, name, unit, reach, beyond, measure, more_is_better=False, heavy=False, note=""):
        self.name, self.unit, self.reach, self.beyond = name, unit, reach, beyond
        self.measure, self.more_is_better, self.heavy, self.note = measure, more_is_better, heavy, note

    def verdict(self, ratio):
        def within(limit):
            return ratio >= limit if self.more_is_better else ratio <= limit

        return "beyond" if within(self.beyond) else "reached" if within(self.reach) else "missed"


def target_row(name, unit, reach, beyond, measure, note, heavy=False):
    """A row of a figure that is to be no more than a given one: theirs is the target."""
    return Row(name, unit, 1, round(beyond / reach, 3), lambda r: (measure(r), float(reach)), heavy=heavy,
               note=f"{note} Theirs: the target.")
