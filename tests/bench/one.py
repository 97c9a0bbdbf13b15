"""Measures one row, in an environment that `place.environment` made."""

import argparse
import importlib


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("row")
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()

    import django

    django.setup()
    from django.core.management import call_command

    from tests.bench.result import to_json

    call_command("migrate", verbosity=0)
    row = importlib.import_module(f"tests.bench.rows.{options.row}")
    results = row.measure(options.scale)
    print(to_json(results))


if __name__ == "__main__":
    main()
