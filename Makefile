# SPDX-License-Identifier: Apache-2.0
#
# make demo                    two nodes with pods, in namespaces: no root, nothing installed
# make test                    every test; installs and builds what they need, and says what
# make e2e                     the tests with a real API server, flanneld, containerd and podman (builds them:
#                              minutes); those of containerd and podman run as root only
# make bench                   what operations cost, and what the way between nodes carries
# make install DESTDIR=...     the plugins into $(DESTDIR)/opt/cni/bin, podwired into $(DESTDIR)/usr/local/bin
# make dist | image           what `install` installs, below target/dist | and as a container image
# make build | tools | lint    the shipped executables | the Go programs of the tests | format and lints

PLUGINS := bandwidth bridge firewall flannel host-local loopback portmap ptp static tuning vxlan
AGENT := podwired
PLUGIN_DIR := $(DESTDIR)/opt/cni/bin
AGENT_DIR := $(DESTDIR)/usr/local/bin

# Static executables, whatever the host's libc; see docs/architecture.md.
export CARGO_BUILD_TARGET ?= $(shell uname -m)-unknown-linux-musl
export CARGO_TARGET_DIR ?= $(CURDIR)/target
# Debian keeps network tools where an ordinary user's PATH does not lead.
export PATH := $(PATH):/usr/sbin:/sbin

BUILT := $(CARGO_TARGET_DIR)/$(CARGO_BUILD_TARGET)/release
TOOLS := target/tools

# .cargo/config.toml runs test executables in namespaces of their own, a user namespace among
# them. Where the machine forbids that one, root can do without.
ifneq ($(shell unshare --user --map-root-user --net --mount echo yes 2>/dev/null),yes)
ifeq ($(shell id -u),0)
export CARGO_TARGET_$(shell echo $(CARGO_BUILD_TARGET) | tr a-z- A-Z_)_RUNNER := unshare --net --mount --pid --fork --kill-child --mount-proc
else
FORBIDDEN := This machine forbids user namespaces to users (sysctl user.max_user_namespaces, \
    kernel.apparmor_restrict_unprivileged_userns): run this as root.
endif
endif

IMAGE := podwire:0.1.0
IMAGE_BUILDER ?= $(firstword $(shell command -v buildah podman docker))

.PHONY: demo test e2e bench install dist image build tools cluster lint toolchain packages namespaces

demo: toolchain namespaces
	cargo build --locked --workspace --exclude e2e-tests --bins
	cargo run --locked --quiet --package integration-tests --bin demo

test: toolchain namespaces packages tools build
	cargo build --locked --workspace --exclude e2e-tests --bins
	cargo test --locked --workspace --exclude e2e-tests
	@echo "make test: everything passed"

e2e: toolchain namespaces packages tools cluster
	.ci/packages busybox conmon containerd dbus firewalld podman runc
	cargo build --locked --workspace --exclude e2e-tests --bins
	cargo test --locked --package e2e-tests
	@echo "make e2e: everything passed"

bench: toolchain namespaces packages tools cluster build
	.ci/packages iperf3
	cargo bench --locked --package podwire-net --bench peers
	cargo bench --locked --package podwire-dataplane --bench reconcile
	cargo bench --locked --package integration-tests --bench path
	PODWIRE_PLUGINS=$(BUILT) cargo bench --locked --package integration-tests --bench add
	PODWIRE_PLUGINS=$(BUILT) cargo bench --locked --package integration-tests --bench healing
	PODWIRE_PLUGINS=$(BUILT) cargo bench --locked --package e2e-tests --bench scale --profile dev

# Only the copying is root's, who seldom has a Rust toolchain; each executable comes by rename, so
# that one which is running can be replaced.
install: build
	as_root=; mkdir -p $(PLUGIN_DIR) $(AGENT_DIR) 2>/dev/null && \
	    test -w $(PLUGIN_DIR) -a -w $(AGENT_DIR) || test $$(id -u) = 0 || as_root=sudo; \
	$$as_root mkdir -p $(PLUGIN_DIR) $(AGENT_DIR) && \
	for to in $(PLUGINS:%=$(PLUGIN_DIR)/%) $(AGENT_DIR)/$(AGENT); do \
	    new=$${to%/*}/.$${to##*/}.new && \
	    $$as_root install -m 755 $(BUILT)/$${to##*/} $$new && \
	    $$as_root mv -f $$new $$to || exit 1; \
	done

dist:
	rm -rf target/dist
	$(MAKE) install DESTDIR=target/dist

# An image of files alone: nothing is executed in it, and no other image is its base.
image: dist
	@test -n "$(IMAGE_BUILDER)" || { echo "make image needs buildah, podman or docker" >&2; exit 1; }
	$(IMAGE_BUILDER) build --tag $(IMAGE) --file conf-examples/kubernetes/Dockerfile target/dist

build: toolchain
	cargo build --locked --release --bins $(PLUGINS:%=--package %) --package $(AGENT)

tools: $(TOOLS)/cnitool

$(TOOLS)/cnitool: integration-tests/go/go.mod integration-tests/go/go.sum \
    integration-tests/go/build integration-tests/go/toolchain
	integration-tests/go/build $(TOOLS)

# It compares what is there with what it would build.
cluster:
	integration-tests/go/build-cluster $(TOOLS)

lint: toolchain
	cargo fmt --all -- --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

toolchain:
	@.ci/toolchain $(CARGO_BUILD_TARGET)

packages:
	@.ci/packages

namespaces:
	@test -z "$(FORBIDDEN)" || { echo "$(FORBIDDEN)" >&2; exit 1; }
