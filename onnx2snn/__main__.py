"""`python -m onnx2snn` is the command `onnx2snn`, also under torchrun."""

import sys


def main() -> None:
    """Entry point: loads the command line, so that Ctrl-C is one line from the first moment on."""
    try:
        from onnx2snn.cli.app import main as run
    except KeyboardInterrupt:
        print("onnx2snn: interrupted", file=sys.stderr)
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
