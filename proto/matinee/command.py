"""What every command does alike: one sentence for a failure, an exit status, one JSON document on request."""

import json
import signal
import sys
from collections.abc import Callable, Mapping

from matinee.errors import MatineeError, UsageError

DONE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130

Result = Mapping[str, object]


def say(text: str) -> None:
    """One line for people, on standard error."""
    print(text, file=sys.stderr, flush=True)


def finish(work: Callable[[], Result | None], as_json: bool, show: Callable[[Result], None]) -> int:
    """Run `work` and tell its result; the exit status.

    Under `as_json` the result is the one JSON document on standard output; otherwise `show` prints it for people. A
    `work` that has told what there was to tell by itself, as a server does, returns None.
    A `MatineeError` or an `OSError` becomes one sentence on standard error; any other exception is a bug and keeps
    its traceback.
    """
    try:
        result = work()
        if result is not None and as_json:
            print(json.dumps(result, indent=2, default=str))
        elif result is not None:
            show(result)
        sys.stdout.flush()
    except UsageError as error:
        say(f"matinee: {error}")
        return WRONG_USAGE
    except KeyboardInterrupt:
        say("matinee: interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (`matinee … | head`): die as the shell expects, without a word.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.raise_signal(signal.SIGPIPE)
        return FAILED
    except (MatineeError, OSError) as error:
        say(f"matinee: {_sentence(error)}")
        return FAILED
    return DONE


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    return str(error)
