"""Neural networks only: cards, fetching, export, and running them with ONNX Runtime."""
