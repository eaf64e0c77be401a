# make demo   set up, then data, training, evaluation, video: everything ends up in output/demo
# make test   set up, then all tests
# make format / make lint

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

DEMO := output/demo
DEMO_CONFIG := configs/shapes_vps/vpsnet_track_R_18.yaml
SHAPES := datasets/shapes_vps

.PHONY: install demo test format lint clean

install: $(VENV)/installed

# constraints.txt pins what was tested, torch and torchvision as a matching pair.
$(VENV)/installed: setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[vis,fast,dev]"
	$(BIN)/python -c "from vps.torch_pair import check_torch_pair; check_torch_pair()"
	touch $@

$(SHAPES)/train/panoptic.json: datasets/make_shapes.py $(wildcard vps/data/shapes_world/*.py) | install
	$(BIN)/python datasets/make_shapes.py --root $(SHAPES)

demo: install $(SHAPES)/train/panoptic.json
	$(BIN)/python tools/train_net.py --config-file $(DEMO_CONFIG) OUTPUT_DIR $(DEMO)
	$(BIN)/python tools/report.py --config-file $(DEMO_CONFIG) -o $(DEMO) MODEL.WEIGHTS $(DEMO)/model_final.pth
	cp $(DEMO)/inference/shapes_vps_val/scores.txt $(DEMO)/scores.txt
	cat $(DEMO)/scores.txt

test: install
	$(BIN)/python -m pytest -n 2 --dist loadfile tests

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

clean:
	rm -rf output
