"""A causal language model as an ONNX graph with its cache, in float32 and in int8, and its steps.

The extra `onnx` brings what is needed; the graph is made by transformers' own exporter.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kd_kedro.inference.incremental import Steps, positions_of
from kd_kedro.models.quantisation import float_copy

NEEDS = ("onnx", "onnxruntime", "onnxscript")
_LARGEST = int(1.5 * 2**30)  # a graph in one piece ends at protobuf's 2 GB


def onnx_obstacle(model: Any) -> str | None:
    """Return why a model cannot become an ONNX graph here; None where it can."""
    if any(find_spec(name) is None for name in NEEDS):
        return "install kd_kedro[onnx]"
    if model.config.is_encoder_decoder:
        return "only causal models are exported, and this one has an encoder and a decoder"
    size = sum(4 * weight.numel() for weight in model.parameters())
    if size > _LARGEST:
        return f"{size / 2**30:.1f} GiB of weights do not fit into one ONNX file, which ends at 2"
    return None


def export_onnx(model: Any) -> bytes:
    """Return a causal model as an ONNX file in float32.

    Inputs are ids, mask, positions and the cache, whose lengths and batch may be any, none too.
    """
    with _quiet():
        import onnx_ir
        from transformers.exporters.exporter_onnx import OnnxConfig, OnnxExporter

        plain = float_copy(model)
        vocabulary = int(plain.get_input_embeddings().weight.shape[0])
        # A batch of one, or one new token, would be taken for a constant of the graph.
        read = torch.arange(10).expand(2, 10) % vocabulary
        mask = torch.ones_like(read)
        with torch.inference_mode():
            cache = plain(input_ids=read[:, :7], use_cache=True).past_key_values
        sample = {
            "input_ids": read[:, 7:].contiguous(),
            "attention_mask": mask,
            "position_ids": positions_of(mask, 3).contiguous(),
            "past_key_values": cache,
        }
        program = OnnxExporter().export(plain, sample, config=OnnxConfig(dynamic=True)).program
        for node in program.graph.all_nodes():  # each tells the lines of code it came from
            node.metadata_props.clear()
        graph: bytes = onnx_ir.to_proto(program).SerializeToString()
    return graph


def int8_onnx(graph: bytes, folder: Path) -> bytes:
    """Return an ONNX graph with its matrix products and embeddings in int8.

    Weights become int8 once, one scale for each output; activations as they come.

    Args:
        graph: The graph that `export_onnx` returns.
        folder: Where onnxruntime may write the file that it insists on.
    """
    with _quiet():
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic

        model = onnx.load_from_string(graph)
        _untie(model)
        path = folder / "int8.onnx"
        quantize_dynamic(model, str(path), per_channel=True, weight_type=QuantType.QInt8)
    return path.read_bytes()


def onnx_steps(graph: bytes, threads: int) -> Steps:
    """Return the steps of an ONNX graph on the CPU.

    Args:
        graph: The file's bytes.
        threads: Number of threads to compute on.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    value = onnxruntime.OrtValue.ortvalue_from_numpy
    taken = {given.name for given in session.get_inputs()}
    caches = {out.name: out for out in session.get_outputs() if out.name != "logits"}
    names = ["logits", *caches]

    def step(ids: torch.Tensor, mask: torch.Tensor, cache: Any) -> tuple[torch.Tensor, Any]:
        if cache is None:
            shapes = {n: (len(ids), out.shape[1], 0, out.shape[3]) for n, out in caches.items()}
            cache = {name: value(np.zeros(shape, np.float32)) for name, shape in shapes.items()}
        read = {
            "input_ids": ids,
            "attention_mask": mask,
            "position_ids": positions_of(mask, ids.shape[1]),
        }
        feeds = {n: value(np.ascontiguousarray(t.numpy())) for n, t in read.items() if n in taken}
        feeds |= {f"in{name.removeprefix('out')}": tensor for name, tensor in cache.items()}
        logits, *cached = session.run_with_ort_values(names, feeds)
        return torch.from_numpy(logits.numpy()), dict(zip(caches, cached, strict=True))

    return step


def _untie(model: Any) -> None:
    """Write a transposed weight out, so that a head tied to the embedding can become int8 too."""
    from onnx import numpy_helper

    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in list(model.graph.node):
        if node.op_type == "Transpose" and node.input[0] in weights:
            order = next((list(each.ints) for each in node.attribute if each.name == "perm"), None)
            turned = numpy_helper.to_array(weights[node.input[0]]).transpose(order)
            model.graph.initializer.append(
                numpy_helper.from_array(np.ascontiguousarray(turned), node.output[0])
            )
            model.graph.node.remove(node)
    used = {name for node in model.graph.node for name in node.input}
    for tensor in [each for each in model.graph.initializer if each.name not in used]:
        model.graph.initializer.remove(tensor)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep exporters from telling each of their stages; what fails is raised all the same."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
