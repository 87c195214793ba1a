"""`matinee demo`: the whole chain once, by the same commands that a person would type, with a swap at the end."""

import argparse
import csv
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from matinee.answers import Recommendations
from matinee.client import Client
from matinee.command import Result, finish, say
from matinee.errors import MatineeError
from matinee.rehearsal import Asking, Server, matinee
from matinee.table import SCORE_TITLES, print_items

_HELP = """\
Run the whole chain once: data, training, evaluation, index, server, answers, a second training, a swap.

The first version is trained to predict ratings, the second to rank: see how the lists change. With --objective both
are trained for that, the second on all ratings from where the first ended. Without RATINGS it makes a synthetic sample.
Flags that are not listed here, after RATINGS, go to matinee train.
"""
_EXAMPLES = """\
examples:
  matinee demo
  matinee demo ml-latest-small --user-id 42
  matinee demo ml-latest-small --objective ranking --dim 128
  matinee demo goodbooks-10k --user-column user_id --item-column book_id --rating-column rating
  matinee demo --folder demo       # keep what it makes, to look at
"""
READING = (
    "user-column", "item-column", "rating-column", "timestamp-column", "items", "item-id-column", "title-column",
    "tags-column", "cache",
)  # fmt: skip
"""Flags of every command that reads ratings; the others are of `matinee train` alone."""
# Of the many figures that evaluate measures.
_QUALITY = ("rmse", "mae", "ndcg@10", "recall@10", "coverage@10")


def main(arguments: Sequence[str]) -> int:
    """Run `arguments`, the verb first; the exit status."""
    options, passed_on = _parser().parse_known_args(arguments[1:])
    return finish(lambda: _run(options, passed_on), options.json, _show)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="matinee demo",
        description=_HELP,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("ratings", nargs="?", type=Path, metavar="RATINGS", help="a file or folder of ratings")
    parser.add_argument("--folder", type=Path, help="where to work; by default a temporary folder, removed at the end")
    parser.add_argument("--user-id", help="whom to recommend to; by default the first user of the held-out ratings")
    parser.add_argument("--objective", choices=("rating", "ranking"), help="of both versions; by default one each")
    parser.add_argument("--dim", help="width of the embeddings, as in matinee train")
    parser.add_argument("--json", action="store_true", help="print one JSON document on standard output")
    reading = parser.add_argument_group("of the ratings, as in matinee train")
    for flag in READING:
        reading.add_argument(f"--{flag}", metavar="VALUE")
    return parser


def _run(options: argparse.Namespace, passed_on: list[str]) -> Result:
    reading = _given(options, READING)
    training = [*reading, *_given(options, ["dim"]), *passed_on]
    # Under --json the tables of the steps are for people, and standard output is for the document alone.
    tables = redirect_stdout(sys.stderr) if options.json else nullcontext()
    place = nullcontext(options.folder) if options.folder else tempfile.TemporaryDirectory(prefix="matinee-demo-")
    with tables, place as folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        return Demo(Path(folder), options.objective, reading, training).run(options.ratings, options.user_id)


def _given(options: argparse.Namespace, flags: Sequence[str]) -> list[str]:
    """Those of `flags` that were given, as they were typed."""
    values = {flag: getattr(options, flag.replace("-", "_")) for flag in flags}
    return [f"--{flag}={value}" for flag, value in values.items() if value is not None]


def _show(result: Result) -> None:
    slowest = max(result["steps_s"].items(), key=lambda step: step[1])  # type: ignore[attr-defined]  # a dict
    print(
        f"\nDone in {result['seconds']:.0f} s (longest: {slowest[0]}, {slowest[1]:.0f} s). "
        f"Two versions answered; {result['answers']:,} answers while the second was trained and swapped in, "
        f"{result['errors']} errors."
    )


def _call(*arguments: str | Path) -> dict[str, Any]:
    """Run one command, its progress shown; the JSON document that it prints. Raises MatineeError where it fails."""
    done = subprocess.run([*matinee(*arguments), "--json"], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise MatineeError(f"the step above failed: matinee {shlex.join(map(str, arguments))}")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@dataclass(frozen=True)
class Version:
    """How one of the two versions comes about."""

    step: str
    """What the step is called."""
    name: str
    """Of its folder of embeddings."""
    flags: Sequence[str | Path]
    """Of `matinee train`."""
    is_judged: bool
    """Whether a tenth of the ratings is held out to judge it by."""


@dataclass
class Demo:
    """One run in `folder`."""

    folder: Path
    objective: str | None
    """Of both versions; None: predicts ratings first, ranks then."""
    reading: list[str]
    """Flags of every command that reads the ratings."""
    training: list[str]
    """Flags of every training, those of `reading` included."""
    steps_s: dict[str, float] = field(default_factory=dict)
    """Seconds of each step so far."""

    def run(self, ratings: Path | None, user_id: str | None) -> Result:
        """The whole chain; what happened. Raises MatineeError where a step fails."""
        started = time.monotonic()
        ratings = ratings or self._sampled()
        plans = self._versions()
        first = self._made(plans[0], ratings)
        self._publish("index and publish", first)
        with self._step("serve"):
            server = Server(self.folder / "store")
        with server, Client(server.address) as client:
            user_id = user_id or _first_user(self._test)
            with self._step("ask"):
                favourite = self._favourite(ratings, user_id)
                _ask(client, user_id, favourite, first)
            with Asking(server.address, user_id) as asking:
                second = self._made(plans[1], ratings)
                self._publish("index, publish, swap", second)
                asking.wait_for(second["version"])
            with self._step("ask the new version"):
                _ask(client, user_id, favourite, second)
            with self._step("stop"):
                server.stop()
        versions = [first["version"], second["version"]]
        if asking.errors or set(asking.versions) != set(versions):
            raise MatineeError(f"the swap went wrong: versions {asking.versions}, errors {asking.errors[:3]}")
        return {
            "seconds": time.monotonic() - started,
            "steps_s": self.steps_s,
            "user_id": user_id,
            "versions": versions,
            "models": [first, second],
            "answers": asking.answers,
            "errors": len(asking.errors),
        }

    @property
    def _test(self) -> Path:
        """The held-out ratings."""
        return self.folder / "test.csv"

    def _versions(self) -> tuple[Version, Version]:
        if self.objective is None:
            return (
                Version("train to predict ratings", "rating", ["--objective", "rating"], is_judged=True),
                Version("train again, to rank", "ranking", ["--objective", "ranking"], is_judged=True),
            )
        objective = ["--objective", self.objective]
        warm: list[str | Path] = [*objective, "--warm-start", self.folder / "embeddings"]
        return (
            Version("train", "embeddings", objective, is_judged=True),
            Version("train again on all ratings, from there", "embeddings-retrained", warm, is_judged=False),
        )

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        say(f"\n── {len(self.steps_s) + 1}. {name}")
        started = time.monotonic()
        yield
        self.steps_s[name] = time.monotonic() - started
        say(f"   {self.steps_s[name]:.1f} s")

    def _sampled(self) -> Path:
        with self._step("data: a synthetic sample"):
            _call("sample", self.folder / "ratings", "--overwrite")
        return self.folder / "ratings"

    def _made(self, version: Version, ratings: Path) -> dict[str, Any]:
        """Train and, where that can be, evaluate; what is to be told of the model."""
        embeddings = self.folder / version.name
        held_out: list[str | Path] = ["--test-fraction", "0.1", "--test-out", self._test] if version.is_judged else []
        with self._step(version.step):
            told = _call("train", ratings, embeddings, "--overwrite", *version.flags, *held_out, *self.training)
        model = {"embeddings": str(embeddings), "objective": told["objective"], "quality": None}
        if version.is_judged:
            with self._step(f"evaluate it on the held-out tenth: {told['objective']}"):
                model["quality"] = _call("evaluate", embeddings, self._test)
                _print_quality(model["quality"])
        return model

    def _publish(self, step: str, model: dict[str, Any]) -> None:
        with self._step(step):
            model["version"] = _call("index", model["embeddings"], self.folder / "store")["version"]
            say(f"   published {model['version']}")

    def _favourite(self, ratings: Path, user_id: str) -> dict[str, Any]:
        """The item that the user rated highest; prints the first of them."""
        history: list[dict[str, Any]] = _call("ratings", ratings, "--user-id", user_id, "--k", "5", *self.reading)[
            "items"
        ]
        print(f"\nUser {user_id} rated highest:", flush=True)
        print_items([(item["item_id"], item["title"], item["rating"]) for item in history], score="rating")
        return history[0]


def _ask(client: Client, user_id: str, favourite: dict[str, Any], model: dict[str, Any]) -> None:
    """Print recommendations, and what is similar to the favourite; what was recommended goes to `model`."""
    answer = client.recommend(user_id, k=10)
    print(f"\nRecommended to user {user_id} (version {answer.model_version}, objective {model['objective']}):")
    _print_answer(answer)
    print(f"\nMost like {favourite['title'] or favourite['item_id']}:")
    _print_answer(client.similar_items(favourite["item_id"], k=5))
    sys.stdout.flush()
    model |= {"recommendations": asdict(answer)["items"], "score_kind": answer.score_kind}


def _print_answer(answer: Recommendations) -> None:
    items = [(item.item_id, item.title, item.score) for item in answer.items]
    print_items(items, score=SCORE_TITLES[answer.score_kind])


def _first_user(ratings: Path) -> str:
    with ratings.open(newline="", encoding="utf-8") as file:
        return next(csv.DictReader(file))["user_id"]


def _print_quality(quality: dict[str, Any]) -> None:
    for row in quality["rows"]:
        figures = "  ".join(f"{name} {row[name]:.4f}" for name in _QUALITY if isinstance(row.get(name), float))
        print(f"   {row['name']:<14} {figures}", flush=True)
