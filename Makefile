# The verbs. `make help` lists them; .ci/run and README.md call the same ones.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check sim conformance cluster-test clients formats golden bench up docs manifests clean

VENV := .venv
BIN := $(VENV)/bin
# Where the clients of `make clients` are installed; one made elsewhere will do as well.
CLIENTS ?= .clients
# Where the libraries of `make formats` are installed, likewise.
FORMATS ?= .formats
# Where the models of `make golden` are put.
MODELS ?= .models
# cpu or gpu: which build of ONNX Runtime (see docs/decisions/0002-dependencies.md).
RUNTIME ?= cpu
FOLDERS := relight embedded activator autoscaler controller predictor cluster wire api telemetry
HEAVY := torch_archive torch_tensors torch_model tensorflow_graph tensorflow_warmup tensorflow_model \
  importing generating huggingface_folder huggingface_answers huggingface_model mlflow_folder mlflow_model
SEED ?= 0
WORKERS ?= 3
RUNS ?= 200
BENCHMARKS := cold_start burst proxy_overhead predictor_overhead autoscaler_tick api_list simulator_fidelity frozen prepared predictor batching

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.installed: pyproject.toml hack/setup.sh
	@hack/setup.sh $(VENV) $(RUNTIME)
	@touch $@

setup: $(VENV)/.installed ## make .venv in this checkout with everything in it

demo: setup ## a real model from zero: scaled, rolled out, rolled back, in two minutes
	@$(BIN)/python -m examples.demo

test: setup ## run the tests, three files at a time: most of them wait
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile

check: setup ## style, types, arrows between folders, sizes
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q tests/test_tidy.py tests/test_docs.py

sim: setup ## the whole platform in virtual time under faults: make sim SEED=7 RUNS=1000
	@$(BIN)/python -m tests.simulation --seed $(SEED) --runs $(RUNS)

conformance: setup ## the same behaviours on our server and a real one: make conformance KUBECONFIG=...
	@hack/conformance.sh $(BIN)/python $(if $(filter command line,$(origin KUBECONFIG)),"$(KUBECONFIG)")

cluster-test: setup ## the whole platform on a real cluster, if one can be had: make cluster-test KUBECONFIG=...
	@hack/cluster.sh $(BIN)/python $(if $(filter command line,$(origin KUBECONFIG)),"$(KUBECONFIG)")

$(CLIENTS)/.installed: hack/clients.sh | setup
	@hack/clients.sh $(CLIENTS)
	@touch $@

clients: setup $(CLIENTS)/.installed ## other people's clients, unchanged, against `relight up`
	@RELIGHT_CLIENTS=$(CLIENTS) $(BIN)/python -m pytest -q -p no:cacheprovider tests/clients

$(FORMATS)/.formats-installed: hack/formats.sh | setup
	@hack/formats.sh $(FORMATS)
	@touch $@

formats: setup $(FORMATS)/.formats-installed ## models of PyTorch, TensorFlow, transformers, MLflow
	@RELIGHT_FORMATS=$(abspath $(FORMATS)) $(FORMATS)/bin/python -m pytest -q -p no:cacheprovider \
	  $(addprefix tests/predictor/test_,$(HEAVY:=.py))

$(MODELS)/.fetched: hack/real_models.sh | setup
	@hack/real_models.sh $(MODELS)
	@touch $@

golden: setup $(MODELS)/.fetched ## real models and the onnx package's own against known answers
	@RELIGHT_MODELS=$(abspath $(MODELS)) RELIGHT_GOLDEN=all \
	  $(BIN)/python -m pytest -q -p no:cacheprovider tests/golden

bench: setup ## every benchmark, one after the other (some need root for Debian's nginx)
	@for name in $(BENCHMARKS); do \
	  echo "== benchmarks.$$name"; $(BIN)/python -m benchmarks.$$name || exit 1; done

up: setup ## run the platform here: objects in .relight, requests on :8080
	@$(BIN)/relight up --data-dir .relight

manifests: setup ## write what is generated: manifests/ and docs/compatibility.md
	@$(BIN)/python -m hack.make_manifests
	@$(BIN)/python -m hack.make_compatibility

docs: setup ## check that the documentation tells the truth
	@$(BIN)/python -m pytest -q tests/test_docs.py

clean: ## remove what make and the demo made
	@rm -rf $(VENV) .clients .models .peers .formats .schemathesis .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache
