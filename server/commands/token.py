"""`matinee token`."""

from typing import ClassVar

from rich.console import Console

from matinee.command import Result
from matinee.settings import Command
from server.trust.tokens import fresh_token


class Token(Command):
    """Make a bearer token: the token is for the caller, its sha256 for the server's --token-file.

    The server can't make the token from its hash, and nobody else can; keep the token where secrets are kept.
    """

    examples: ClassVar[str] = """\
        examples:
          matinee token
          matinee token --json | tee >(jq -r .sha256 >> tokens) | jq -r .token
        """

    def run(self) -> Result:
        """One new token."""
        token, sha256 = fresh_token()
        return {"token": token, "sha256": sha256}

    def show(self, result: Result, console: Console) -> None:
        """The token and its hash."""
        console.print(f"token   {result['token']}\nsha256  {result['sha256']}", highlight=False, soft_wrap=True)
