# Two commands do everything: `make demo` and `make test`. Both set up what is missing first.
.PHONY: setup configure build demo test bench check-full gpu-check docs format clean
BUILD := build/release

setup:
	@scripts/setup

configure: setup
	@mkdir -p build
	@cmake --preset release > $(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }

build: configure
	@cmake --build --preset release

# The demo needs the program alone; `make build` goes on with the extension and the tests.
demo: configure
	@cmake --build --preset release --target namid_program
	@$(BUILD)/namid demo

test: build
	@scripts/test $(BUILD)

bench: build
	@scripts/bench

check-full: build
	@scripts/check-full

# A GPU's results and speed beside the CPU's; needs a build against a CUDA wheel of torch.
gpu-check: build
	@PYTHONPATH=$(BUILD)/python .venv/bin/python -W ignore scripts/gpu_check.py

# The documentation as a site in build/docs.
docs: build
	@scripts/docs

format:
	@scripts/format

clean:
	@rm -rf build
