"""Models: `Joblib` for scikit-learn, `Torch` and `Safetensors` for tensors."""

import pathlib
from collections.abc import Mapping
from typing import Any, Literal, Self

import attrs

from pivot_core.values import Value
from pivot_loaders.libraries import libraries_of, misfit, require, types_in

__pivot_module__ = "pivot.loaders"

_TENSORS = frozenset({"numpy", "torch"})


@attrs.frozen(eq=False, repr=False)
class Joblib(Value):
    """Any picklable value, with arrays stored efficiently: models of scikit-learn. Needs joblib.

    As for `Pickle`, use it only for files that your own stages wrote, and load them with the version of the library
    that saved them.

    Attributes:
        compress: The level of compression, from 0 (none, fastest) to 9.
    """

    compress: int = 0

    def load(self, path: pathlib.Path) -> Any:
        """The value."""
        joblib = require("joblib", "Joblib")
        with path.open("rb") as file:
            return joblib.load(file)

    def save(self, value: Any, path: pathlib.Path) -> None:
        """Write the value."""
        joblib = require("joblib", "Joblib")
        with path.open("wb") as file:  # a name would decide on the compression
            joblib.dump(value, file, compress=self.compress)


@attrs.frozen(eq=False, repr=False)
class Torch(Value):
    """Tensors, and the state of a model or an optimizer, as `torch.save` writes them. Needs torch.

    Attributes:
        weights_only: Whether loading refuses all but tensors and plain containers. Whole models need False; then use it
            only for files that your own stages wrote.
        device: Where loaded tensors are placed, such as ``"cpu"`` or ``"cuda"``.
    """

    weights_only: bool = True
    device: str = "cpu"

    def load(self, path: pathlib.Path) -> Any:
        """The tensors, on the device."""
        torch = require("torch", "Torch")
        with path.open("rb") as file:
            return torch.load(file, map_location=self.device, weights_only=self.weights_only)

    def save(self, value: Any, path: pathlib.Path) -> None:
        """Write the tensors.

        Raises:
            LoaderError: The value is a whole model, which ``weights_only`` would not load again.
        """
        torch = require("torch", "Torch")
        if self.weights_only and isinstance(value, torch.nn.Module):
            raise misfit(
                "Torch",
                "tensors and containers of tensors",
                value,
                hint="return model.state_dict(), or use Torch(weights_only=False) for the whole model",
            )
        with path.open("wb") as file:  # the file would otherwise contain its own name
            torch.save(value, file)


@attrs.frozen(eq=False, repr=False)
class Safetensors(Value):
    """Tensors by name; the file contains no code. Needs safetensors, and torch or numpy for the tensors.

    It saves tensors of torch or arrays of numpy, and loads the type that the parameter's type hint names, or that
    ``framework`` names; without either, arrays of numpy.

    Attributes:
        framework: The type to load: ``"numpy"`` or ``"torch"``.
    """

    framework: Literal["numpy", "torch"] | None = None

    def for_type(self, hint: Any) -> Self:
        """The loader for a parameter or value with a type hint, which says what to load without ``framework``."""
        found = {library for kind in types_in(hint) for library in libraries_of(kind)} & _TENSORS
        if self.framework is not None or len(found) != 1:
            return self
        return type(self)("torch" if found == {"torch"} else "numpy")

    def load(self, path: pathlib.Path) -> dict[str, Any]:
        """The tensors by name."""
        framework = self.framework or "numpy"
        require(framework, "Safetensors")
        loaded: dict[str, Any] = require(f"safetensors.{framework}", "Safetensors").load_file(str(path))
        return loaded

    def save(self, value: Mapping[str, Any], path: pathlib.Path) -> None:
        """Write the tensors.

        Raises:
            LoaderError: The value is not a mapping from names to tensors of one library.
        """
        given: object = value
        wanted = "a mapping from names to tensors of torch or arrays of numpy"
        if not isinstance(given, Mapping):
            raise misfit("Safetensors", wanted, given)
        tensors = dict(given)
        libraries = {library for each in tensors.values() for library in libraries_of(type(each)) & _TENSORS}
        strange = [each for each in tensors.values() if not libraries_of(type(each)) & _TENSORS]
        if strange or len(libraries) > 1:
            raise misfit("Safetensors", wanted, strange[0] if strange else given)
        framework = libraries.pop() if libraries else self.framework or "numpy"
        module = require(f"safetensors.{framework}", "Safetensors")
        path.write_bytes(module.save({name: _contiguous(framework, tensors[name]) for name in sorted(tensors)}))


def _contiguous(framework: str, tensor: Any) -> Any:
    """The tensor with its values in the order in which safetensors writes them, whatever order they have in memory."""
    return require("numpy", "Safetensors").asarray(tensor, order="C") if framework == "numpy" else tensor.contiguous()
