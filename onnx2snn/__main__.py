"""`python -m onnx2snn` is the command `onnx2snn`, also under torchrun."""

from onnx2snn.cli.app import main

if __name__ == "__main__":
    main()
