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
from matinee.lookup import SCORE_TITLES, print_items
from matinee.rehearsal import Asking, Server, matinee

_HELP = """\
Run the whole chain once: data, training, evaluation, index, server, answers, a second training, a swap.

Without RATINGS it makes a synthetic sample. Flags that are not listed here, after RATINGS, go to the commands that
read them.
"""
_EXAMPLES = """\
examples:
  matinee demo
  matinee demo ml-latest-small
  matinee demo goodbooks-10k --user-column user_id --item-column book_id --rating-column rating
  matinee demo --folder demo       # keep what it makes, to look at
"""
# Of the many figures that evaluate measures.
_QUALITY = ("rmse", "mae", "ndcg@10", "recall@10", "coverage@10")


def main(arguments: Sequence[str]) -> int:
    """Run `arguments`, the verb first; the exit status."""
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
    parser.add_argument("--json", action="store_true", help="print one JSON document on standard output")
    options, passed_on = parser.parse_known_args(arguments[1:])
    return finish(lambda: _run(options, passed_on), options.json, _show)


def _run(options: argparse.Namespace, passed_on: list[str]) -> Result:
    # Under --json the tables of the steps are for people, and standard output is for the document alone.
    with redirect_stdout(sys.stderr) if options.json else nullcontext():
        if options.folder is not None:
            options.folder.mkdir(parents=True, exist_ok=True)
            return Demo(options.folder, passed_on).run(options.ratings, options.user_id)
        with tempfile.TemporaryDirectory(prefix="matinee-demo-") as folder:
            return Demo(Path(folder), passed_on).run(options.ratings, options.user_id)


def _show(result: Result) -> None:
    slowest = max(result["steps_s"].items(), key=lambda step: step[1])  # type: ignore[attr-defined]  # a dict
    print(
        f"\nDone in {result['seconds']:.0f} s (longest: {slowest[0]}, {slowest[1]:.0f} s). "
        f"Two versions answered, {result['answers']} answers during the swap, {result['errors']} errors."
    )


def _call(*arguments: str | Path) -> dict[str, Any]:
    """Run one command, its progress shown; the JSON document that it prints. Raises MatineeError where it fails."""
    done = subprocess.run([*matinee(*arguments), "--json"], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise MatineeError(f"the step above failed: matinee {shlex.join(map(str, arguments))}")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@dataclass
class Demo:
    """One run in `folder`; `passed_on` goes to the commands that read the ratings."""

    folder: Path
    passed_on: list[str]
    steps_s: dict[str, float] = field(default_factory=dict)
    """Seconds of each step so far."""

    def run(self, ratings: Path | None, user_id: str | None) -> Result:
        """The whole chain; what happened. Raises MatineeError where a step fails."""
        started = time.monotonic()
        if ratings is None:
            ratings = self.folder / "ratings"
            with self._step("data: a synthetic sample"):
                _call("sample", ratings, "--overwrite")
        with self._step("train"):
            self._train(ratings, "embeddings", "--test-fraction", "0.1", "--test-out", self.folder / "test.csv")
        with self._step("evaluate on the held-out tenth"):
            quality = _call("evaluate", self.folder / "embeddings", self.folder / "test.csv")
            _print_quality(quality)
        with self._step("index and publish"):
            first = self._publish("embeddings")
        with self._step("serve"):
            server = Server(self.folder / "store")
        with server, Client(server.address) as client:
            with self._step("ask"):
                user_id = user_id or _first_user(self.folder / "test.csv")
                recommended = self._ask(client, ratings, user_id)
            with Asking(server.address, user_id) as asking:
                with self._step("retrain"):
                    self._train(ratings, "embeddings-retrained", "--seed", "43")
                with self._step("index, publish, swap"):
                    second = self._publish("embeddings-retrained")
                    asking.wait_for(second)
            with self._step("stop"):
                server.stop()
        if asking.errors or set(asking.versions) != {first, second}:
            raise MatineeError(f"the swap went wrong: versions {asking.versions}, errors {asking.errors[:3]}")
        return {
            "seconds": time.monotonic() - started,
            "steps_s": self.steps_s,
            "quality": quality,
            "user_id": user_id,
            "recommendations": recommended["items"],
            "score_kind": recommended["score_kind"],
            "versions": [first, second],
            "answers": asking.answers,
            "errors": len(asking.errors),
        }

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        say(f"\n── {len(self.steps_s) + 1}. {name}")
        started = time.monotonic()
        yield
        self.steps_s[name] = time.monotonic() - started
        say(f"   {self.steps_s[name]:.1f} s")

    def _train(self, ratings: Path, out: str, *flags: str | Path) -> None:
        _call("train", ratings, self.folder / out, "--overwrite", *flags, *self.passed_on)

    def _publish(self, embeddings: str) -> str:
        version: str = _call("index", self.folder / embeddings, self.folder / "store")["version"]
        say(f"   published {version}")
        return version

    def _ask(self, client: Client, ratings: Path, user_id: str) -> dict[str, Any]:
        """Print a user's history, recommendations, and what is similar to the favourite; the recommendations."""
        history = _call("ratings", ratings, "--user-id", user_id, "--k", "5", *self.passed_on)["items"]
        print(f"\nUser {user_id} rated highest:", flush=True)
        print_items([(item["item_id"], item["title"], item["rating"]) for item in history], score="rating")
        answer = client.recommend(user_id, k=10)
        print(f"\nRecommended to user {user_id} (version {answer.model_version}):")
        _print_answer(answer)
        favourite = history[0]
        print(f"\nMost like {favourite['title'] or favourite['item_id']}:")
        _print_answer(client.similar_items(favourite["item_id"], k=5))
        sys.stdout.flush()
        return asdict(answer)


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
