"""docs/access.md says what the code does."""

from pathlib import Path

from django.conf import settings

from project.access.forms import WHAT_GROUPS_DO
from project.access.groups import GROUPS

PAGE = Path(settings.BASE_DIR) / "docs" / "access.md"


def tables() -> list[list[list[str]]]:
    """Each table of the page as rows of cells."""
    found: list[list[list[str]]] = [[]]
    for line in PAGE.read_text().splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip().strip("`") for cell in line.split("|")[1:-1]])
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


def documented() -> dict[str, set[str]]:
    rows, deeds = tables()
    groups = rows[0][1:]
    assert deeds[0][1:] == groups
    rights: dict[str, set[str]] = {group: set() for group in groups}
    for model, *cells in rows[2:]:
        for group, cell in zip(groups, cells, strict=True):
            rights[group] |= {f"{verb}_{model}" for verb in cell.split()}
    for deed, *cells in deeds[2:]:
        for group, cell in zip(groups, cells, strict=True):
            rights[group] |= {deed} if cell else set()
    return rights


def test_the_table_of_rights_is_the_one_in_force():
    assert documented() == GROUPS


def test_each_group_is_explained_where_it_is_given():
    assert set(WHAT_GROUPS_DO) == set(GROUPS)
