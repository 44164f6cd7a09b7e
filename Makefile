# Two commands do everything: `make demo` and `make test`. Both set up what is missing first.
.PHONY: setup build demo test bench check-full format clean
BUILD := build/release

setup:
	@scripts/setup

build: setup
	@mkdir -p build
	@cmake --preset release > $(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@cmake --build --preset release

demo: build
	@$(BUILD)/namid demo

test: build
	@scripts/test $(BUILD)

bench: build
	@scripts/bench

check-full: build
	@scripts/check-full

format:
	@scripts/format

clean:
	@rm -rf build
