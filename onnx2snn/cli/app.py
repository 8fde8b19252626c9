"""`onnx2snn`: the commands, and the one place where errors become exit codes."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Optional

import typer

from onnx2snn.cli import (
    backends,
    convert,
    demo,
    export,
    finetune,
    inspect,
    ops,
    passes,
    recipes,
    report,
    simulate,
    train,
    verify,
)
from onnx2snn.errors import Onnx2SnnError
from onnx2snn.version import __version__

app = typer.Typer(
    name="onnx2snn",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
MODULES = (inspect, convert, simulate, verify, report, train, export, finetune, demo, ops, passes, backends, recipes)
for _module in MODULES:
    app.command(_module.NAME)(_module.command)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"onnx2snn {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        Optional[bool],  # noqa: UP045  typer reads the annotation
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop."),
    ] = None,
) -> None:
    """Turn a quantised ONNX network into a spiking neural network that provably computes the same thing.

    Exit codes: 0 all is well, 1 a finding or bad input, 2 wrong use.
    """


def main() -> None:
    """Entry point: every error is one line on standard error, and one more for each reason where it has several."""
    try:
        code = app(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except typer.Abort:
        _fail("interrupted", code=130)
    except Onnx2SnnError as error:
        _fail(*error.lines, code=error.exit_code)
    except KeyboardInterrupt:
        _fail("interrupted", code=130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        _fail(f"{error.filename or 'a file'}: {error.strerror or error}", code=1)
    except MemoryError:
        _fail("not enough memory", code=1)
    except Exception as error:
        _fail_usage(error)
        if os.environ.get("ONNX2SNN_DEBUG"):
            raise
        _fail(
            f"internal error ({type(error).__name__}: {error}); set ONNX2SNN_DEBUG=1 for the traceback and report it",
            code=1,
        )


def _fail_usage(error: Exception) -> None:
    """Ends with one line where the command was called wrongly; a call without arguments prints the help."""
    words = getattr(error, "format_message", None)
    if words is None:
        return
    if type(error).__name__ == "NoArgsIsHelpError":
        print(words())
        sys.exit(2)
    called = [word for word in sys.argv[1:2] if word in [module.NAME for module in MODULES]]
    _fail(f"{words()} (see {' '.join(['onnx2snn', *called, '--help'])})", code=getattr(error, "exit_code", 2))


def _fail(message: str, *reasons: str, code: int) -> None:
    print("onnx2snn: " + " ".join(message.split()), file=sys.stderr)
    for reason in reasons:
        print("  " + " ".join(reason.split()), file=sys.stderr)
    sys.exit(code)
