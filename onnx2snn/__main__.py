"""`python -m onnx2snn` is the command `onnx2snn`, also under torchrun."""

import atexit
import gc
import sys

COLLECT_AFTER = 50_000  #: objects made: what a command imports and reads stays until its end


def main() -> None:
    """Entry point: loads the command line, so that Ctrl-C is one line from the first moment on."""
    gc.set_threshold(COLLECT_AFTER, 20, 100)
    atexit.register(gc.freeze)  # the process ends: nothing that is left needs to be looked through
    try:
        from onnx2snn.cli.app import main as run
    except KeyboardInterrupt:
        print("onnx2snn: interrupted", file=sys.stderr)
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
