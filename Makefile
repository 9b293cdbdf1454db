# Thin: installs what is missing, then Meson and Ninja do the work.
.PHONY: all test deps clean
MESON ?= meson
BUILD ?= build

all: deps $(BUILD)/build.ninja
	ninja -C $(BUILD)

deps:
	@tools/install-deps

$(BUILD)/build.ninja:
	$(MESON) setup $(BUILD)

test: all
	$(MESON) test -C $(BUILD) --print-errorlogs

clean:
	rm -rf build build-*
