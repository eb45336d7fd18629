"""What a job takes along to a site that does not share the submitter's disk: its space and its points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath


def in_two_words(arguments: Sequence[str]) -> list[str]:
    """A command line in which no option has its value in the same word: whoever looks for one finds it.

    Example:
        >>> in_two_words(["--points=x0", "--pack", "4", "--sampler-option=noise=0.1"])
        ['--points', 'x0', '--pack', '4', '--sampler-option', 'noise=0.1']
    """
    words: list[str] = []
    for word in arguments:
        option, equals, value = word.partition("=")
        words += [option, value] if equals and option.startswith("--") else [word]
    return words


@dataclass
class Luggage:
    """Files that travel with a job.

    Attributes:
        folder: where the job finds them; None where it finds everything where it is, on a shared disk.
        files: their contents by name.
    """

    folder: PurePosixPath | None
    files: dict[str, str] = field(default_factory=dict)

    def space(self, what: str) -> str:
        """The search space as the job's command line names it: whole, with its network, if it is a file here."""
        import yaml

        from optimize.space import SearchSpace

        if not Path(what).is_file():
            return what
        if self.folder is None:
            return str(Path(what).absolute())
        whole = SearchSpace.load(what).to_dict()
        return self._take("space.yaml", str(yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=120)))

    def options(self, further: Sequence[str]) -> list[str]:
        """Options of ``eiann optimize``, with files of given points in the place where the job finds them.

        Args:
            further: the options, `in_two_words`.

        Raises:
            UserError: a table of points that is no text.
        """
        from eiann.errors import UserError

        taken = list(further)
        for i, value in enumerate(taken[1:], 1):
            if self.folder is None or taken[i - 1] != "--points" or not Path(value).is_file():
                continue
            if Path(value).suffix == ".parquet":
                raise UserError(
                    f"--points: {value} cannot travel with a job; write it as .csv: eiann table ... --out x.csv"
                )
            taken[i] = self._take(f"points-{i}{Path(value).suffix}", Path(value).read_text(encoding="utf-8"))
        return taken

    def _take(self, name: str, text: str) -> str:
        assert self.folder is not None
        self.files[name] = text
        return str(self.folder / name)
