"""Network: one .tflite file in LiteRT's interpreter. The only importer of LiteRT."""

from __future__ import annotations

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from ss_tf.edge.manifest import INPUT, OUTPUT, Manifest


class Network:
    """A network of a bundle, ready to run. Its memory is freed when it is dropped.

    Attributes:
      content: its .tflite file.
    """

    def __init__(self, content: bytes, manifest: Manifest, *, num_threads: int):
        """Makes an interpreter.

        Args:
          content: .tflite file whose digest has been checked. Not copied; kept.
          manifest: of the bundle, which says what the network takes and gives.
          num_threads: of the interpreter.

        Raises:
          ValueError: if LiteRT does not take the file, or it has another signature.
        """
        self.content = content
        try:
            self._interpreter = Interpreter(model_content=content, num_threads=num_threads)
            self._runner = self._interpreter.get_signature_runner(manifest.signature)
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"LiteRT cannot use the network: {error}") from error
        side, channels = manifest.image_size, manifest.channels
        _check(self._runner.get_input_details(), INPUT, [1, side, side, channels])
        _check(self._runner.get_output_details(), OUTPUT, [1, manifest.head_width])

    def logits(self, images: np.ndarray, *, width: int) -> np.ndarray:
        """Runs the network over normalised images, one after another.

        Args:
          images: float32 `[n, size, size, channels]`.
          width: number of logits that count.

        Returns:
          float32 `[n, width]`, all finite.

        Raises:
          ValueError: if LiteRT cannot run the network, or it gives what is no number.
        """
        results = np.empty((len(images), width), np.float32)
        try:
            for image, result in zip(images, results, strict=True):
                result[:] = self._runner(**{INPUT: image[np.newaxis]})[OUTPUT][0, :width]
        except RuntimeError as error:
            raise ValueError(f"LiteRT cannot run the network: {error}") from error
        if not np.isfinite(results).all():
            raise ValueError("The network gives logits that are not finite: it is damaged.")
        return results


def _check(details: dict[str, dict], name: str, shape: list[int]) -> None:
    """Raises ValueError unless a signature's tensor is as the manifest says."""
    found = {key: (value["shape"].tolist(), value["dtype"]) for key, value in details.items()}
    if found != {name: (shape, np.float32)}:
        raise ValueError(f"The network's signature has {found}, expected {name}: float32 {shape}.")
