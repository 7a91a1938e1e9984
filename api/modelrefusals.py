"""What is said of files that are models, or parts of one, and are not served.

For: a sentence that a person can act on, for each of them.
Must not know: how such a file was found, or what is served instead.

Each is a clause that follows the file's path.
"""

_KERAS = (
    "is a Keras model, which only its own code can rebuild: "
    'call model.export("folder") and serve that folder, or convert it to ONNX'
)
_SAFETENSORS = (
    "holds weights without a model: "
    "serve the Hugging Face folder it belongs to, with its config.json, or export it to ONNX"
)
_GGUF = "is a GGUF model, which this version does not serve: run llama-server as a command"
_PLAN = (
    "is a TensorRT engine, which runs only on the kind of card it was built on: serve the ONNX "
    "model it was made from, with --providers TensorrtExecutionProvider"
)
_CATBOOST = "is a CatBoost model, which this version does not serve: save it with format='onnx'"
_UNPACK = "is an archive of a model folder: unpack it and name the folder"

BY_SUFFIX = {
    ".keras": _KERAS,
    ".h5": _KERAS,
    ".hdf5": _KERAS,
    ".safetensors": _SAFETENSORS,
    ".gguf": _GGUF,
    ".plan": _PLAN,
    ".engine": _PLAN,
    ".trt": _PLAN,
    ".cbm": _CATBOOST,
    ".mlmodel": "is a Core ML model, which runs on Apple's systems only: serve its ONNX export",
    ".ckpt": "is a checkpoint, weights without a model: export the model to ONNX",
    ".py": "is Python code: serve a class of it with --python FILE.py:CLASS",
    ".pb": (
        "is one file of a TensorFlow model: name the folder of a SavedModel, "
        "with saved_model.pb and variables/ in it"
    ),
    ".pbtxt": "says how a model is served, and is none: name the folder it lies in",
    ".yaml": "is a settings file, not a model",
    ".yml": "is a settings file, not a model",
    ".npy": "holds a NumPy array, not a model",
    ".npz": "holds NumPy arrays, not a model",
    ".csv": "is a table, not a model",
    ".parquet": "is a table, not a model",
    ".mar": (
        "is a TorchServe archive, which runs a handler of its own: "
        "unpack it and serve the TorchScript file in it"
    ),
    ".ort": (
        "is a model in onnxruntime's own format, which only the version that wrote it is sure to "
        "read: serve the ONNX file it was made from"
    ),
}
BY_NAME = {  # whole names, of what is one file of a model
    "MLmodel": "is one file of an MLflow model: name the folder it lies in",
    "model-settings.json": "says how a model is served, and is none: name the folder it lies in",
}
BY_START = (  # where the name says nothing
    (b"\x89HDF", "an HDF5 file, as Keras writes: export the model to a SavedModel or to ONNX"),
    (b"GGUF", "a GGUF file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"ptrt", "a TensorRT engine"),
    (b"CBM1", "a CatBoost model"),
    (b"\x93NUMPY", "a NumPy array"),
)
BY_MEMBER = (  # a name in a zip archive, or how one starts
    ("model.weights.h5", _KERAS),
    ("MAR-INF/", BY_SUFFIX[".mar"]),
    ("MLmodel", _UNPACK),
    ("saved_model.pb", _UNPACK),
)
MODEL_JSON = (  # top-level fields of a JSON document
    (
        frozenset(("tree_info", "num_class")),
        "is LightGBM's JSON dump, which LightGBM itself can not load: "
        'save the model with save_model("model.txt")',
    ),
    (
        frozenset(("modelTopology",)),
        "is a TensorFlow.js model: serve the SavedModel it was converted from",
    ),
    (
        frozenset(("oblivious_trees",)),
        _CATBOOST,
    ),
)
