# make demo   everything on the bundled data, from an empty folder to the table (README: how long)
# make test   every test and convention check
# make clean  removes what the other two made
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV = .venv
RUN_DIR = runs/demo
# The bundled data set is prepared here, so that nothing is written outside this folder.
export TFDS_DATA_DIR ?= $(abspath $(VENV))/tensorflow_datasets

.PHONY: demo test clean

demo: $(VENV)/installed
	$(VENV)/bin/python train.py --flagfile=flags/demo.flags --run_dir=$(RUN_DIR) --stage=all
	$(VENV)/bin/python eval.py --run_dir=$(RUN_DIR)

test: $(VENV)/installed-test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder --durations=25

# `installed` marks a finished installation; a changed setup.cfg makes it stale.
$(VENV)/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --upgrade pip
	$(VENV)/bin/pip install --progress-bar on --editable .[tensorflow]
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(VENV)/bin/pip install --editable .[test]
	touch $@

clean:
	rm -rf $(VENV) $(RUN_DIR)
