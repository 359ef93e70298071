"""What a campaign tried, found and promised, as one table in Markdown."""

import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Row:
    tried: str
    count: int
    found: str
    promised: str
    holds: bool


@dataclass(slots=True)
class Report:
    subject: str
    rows: list[Row] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def add(self, tried: str, count: int, *, found: str, promised: str, holds: bool) -> None:
        self.rows.append(Row(tried, count, found, promised, holds))

    def add_faults(self, tried: str, count: int, faults: list[str], promised: str) -> None:
        """Found is the number of faults and the first of them."""
        found = f"{len(faults)}: {'; '.join(faults[:3])}" if faults else "none"
        self.add(tried, count, found=found, promised=promised, holds=not faults)

    @property
    def broken(self) -> list[Row]:
        return [row for row in self.rows if not row.holds]

    def __str__(self) -> str:
        minutes = (time.monotonic() - self.began) / 60
        head = f"### {self.subject} ({minutes:.1f} min)\n"
        lines = [head, "| tried | how many | found | promised | holds |", "|---|---|---|---|---|"]
        for row in self.rows:
            cells = (row.tried, f"{row.count:,}", row.found, row.promised)
            shown = " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells)
            lines.append(f"| {shown} | {'yes' if row.holds else '**no**'} |")
        return "\n".join(lines)


def tell(text: str) -> None:
    """A line of progress, seen with `-s`."""
    print(f"  {time.strftime('%H:%M:%S')} {text}", flush=True)
