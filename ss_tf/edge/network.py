"""Network: one .tflite file in LiteRT, on the CPU or on a GPU. The only importer of LiteRT."""

from __future__ import annotations

import functools

import numpy as np
from ai_edge_litert import compiled_model
from ai_edge_litert.interpreter import Interpreter

from ss_tf.edge.manifest import INPUT, OUTPUT, Manifest

CPU, GPU, GPU_OR_CPU = "cpu", "gpu", "gpu_or_cpu"
ACCELERATORS = (CPU, GPU, GPU_OR_CPU)


class NoGpuError(ValueError):
    """There is no GPU that runs the network, or the GPU cannot; the message says why."""


class Network:
    """A network of a bundle, ready to run. Its memory is freed when it is dropped.

    Attributes:
      content: its .tflite file.
    """

    def __init__(
        self, content: bytes, manifest: Manifest, *, num_threads: int, accelerator: str = CPU
    ):
        """Makes an interpreter, and has it pack the weights.

        Args:
          content: .tflite file. Not copied; kept.
          manifest: of the bundle, which says what the network takes and gives.
          num_threads: of the interpreter, on the CPU.
          accelerator: "cpu" or "gpu".

        Raises:
          NoGpuError: if it cannot run on a GPU.
          ValueError: if LiteRT does not take the file, or it has another signature.
        """
        self.content = content
        try:
            if accelerator == GPU:
                hardware = compiled_model.HardwareAccelerator.GPU
                self._runner = CompiledRunner(content, manifest.signature, hardware=hardware)
            else:
                self._runner = InterpreterRunner(
                    content, manifest.signature, num_threads=num_threads
                )
        except NoGpuError:
            raise
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"LiteRT cannot use the network: {error}") from error
        side, channels = manifest.image_size, manifest.channels
        _check(self._runner.inputs(), INPUT, [1, side, side, channels])
        _check(self._runner.outputs(), OUTPUT, [1, manifest.head_width])

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
                result[:] = self._runner.run(image[np.newaxis])[:width]
        except RuntimeError as error:
            raise ValueError(f"LiteRT cannot run the network: {error}") from error
        if not np.isfinite(results).all():
            raise ValueError("The network gives logits that are not finite: it is damaged.")
        return results


class InterpreterRunner:
    """A signature of a network in the interpreter, on the CPU."""

    def __init__(self, content: bytes, signature: str, *, num_threads: int):
        """Makes the interpreter."""
        interpreter = Interpreter(model_content=content, num_threads=num_threads)
        # Or the first call would do it.
        interpreter.allocate_tensors()
        self._runner = interpreter.get_signature_runner(signature)
        self.inputs, self.outputs = self._runner.get_input_details, self._runner.get_output_details

    def run(self, image: np.ndarray) -> np.ndarray:
        """Returns the logits of a batch of one image, all of them; float32."""
        return self._runner(**{INPUT: image})[OUTPUT][0]


class CompiledRunner:
    """A signature of a network that was compiled for an accelerator."""

    def __init__(
        self,
        content: bytes,
        signature: str,
        *,
        hardware: compiled_model.HardwareAccelerator,
    ):
        """Compiles the network.

        Raises:
          NoGpuError: if the accelerator is not there, or does not take all of the network.
        """
        self._signature = signature
        options = compiled_model.Options(hardware_accelerators=hardware)
        try:
            self._model = compiled_model.CompiledModel.from_buffer(
                content, environment=_environment(), options=options
            )
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise NoGpuError(
                f"LiteRT cannot run the network on a GPU ({reason}), expected one with its driver "
                "(on Linux libvulkan.so.1 and a Vulkan driver): else use the accelerator cpu."
            ) from error
        if not self._model.is_fully_accelerated():
            raise NoGpuError(
                "The GPU takes the network in part only, expected all of it: use the accelerator "
                "cpu."
            )
        self._image = self._model.create_input_buffer_by_name(signature, INPUT)
        self._logits = self._model.create_output_buffer_by_name(signature, OUTPUT)
        self._width = int(np.prod(self.outputs()[OUTPUT]["shape"]))

    def inputs(self) -> dict[str, dict]:
        """Returns name -> facts of each input, as the interpreter does."""
        return self._model.get_input_tensor_details(self._signature)

    def outputs(self) -> dict[str, dict]:
        """Returns name -> facts of each output."""
        return self._model.get_output_tensor_details(self._signature)

    def run(self, image: np.ndarray) -> np.ndarray:
        """Returns the logits of a batch of one image, all of them; float32."""
        self._image.write(image)
        self._model.run_by_name(self._signature, {INPUT: self._image}, {OUTPUT: self._logits})
        return self._logits.read(self._width, np.float32)


@functools.cache
def _environment() -> compiled_model.Environment:
    """Returns what all compiled networks share: the accelerators that were found."""
    return compiled_model.Environment.create()


def _check(details: dict[str, dict], name: str, shape: list[int]) -> None:
    """Raises ValueError if a signature's tensor is not as the manifest says."""
    found = {
        key: (np.asarray(value["shape"]).tolist(), np.dtype(value["dtype"]))
        for key, value in details.items()
    }
    if found != {name: (shape, np.dtype(np.float32))}:
        raise ValueError(f"The network's signature has {found}, expected {name}: float32 {shape}.")
