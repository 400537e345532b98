"""Two-level image classification data sets as TensorFlow Datasets builders.

Importing this package registers the builders, so that `tfds.load` and
`tfds build NAME --imports=tfds_superclass` find them by name.
"""

import importlib
import pkgutil

# One folder for each data set; the builder module is named after its folder.
for _folder in pkgutil.iter_modules(__path__):
    if _folder.ispkg:
        importlib.import_module(f"{__name__}.{_folder.name}.{_folder.name}_dataset_builder")
