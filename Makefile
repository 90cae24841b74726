# Shorter names for scripts/; everything is done there.
.PHONY: build test check format bench quickstart

build:
	scripts/build
test:
	scripts/test
check:
	scripts/check
format:
	scripts/format
bench:
	scripts/bench
quickstart:
	scripts/quickstart
