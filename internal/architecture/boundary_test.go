package architecture

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// document, eval, changelog and what control decides with say everything in the values they return: no input or output of their own, no log, no
// waiting. For all but changelog, which makes up identifiers, nothing is left to chance either.
func TestPurePackages(t *testing.T) {
	t.Parallel()
	impure := []string{"context", "database", "expvar", "io/fs", "log", "net", "os", "plugin", "runtime", "syscall", "github.com/rs/zerolog"}
	certain := slices.Concat(impure, []string{"crypto/rand", "math/rand"})
	decisions := slices.Concat(certain, []string{"sync"})
	all := readSource(t)
	for at, impure := range map[string][]string{
		"document":                             certain,
		"eval":                                 certain,
		"sync/changelog":                       impure,
		"internal/publisher/control/risk":      decisions,
		"internal/publisher/control/requests":  decisions,
		"internal/publisher/control/decide":    decisions,
		"internal/publisher/lifecycle":         decisions,
		"internal/publisher/manifest":          decisions,
		"internal/publisher/control/ownership": decisions,
		"internal/publisher/fleet":             certain,
		"internal/publisher/preview":           impure,
		"internal/publisher/usage":             decisions,
	} {
		for _, imported := range all.must(t, at).imports {
			if slices.ContainsFunc(impure, func(name string) bool { return below(imported, name) }) {
				t.Errorf("%s imports %s and is to be pure", at, imported)
			}
		}
	}
}

// Time is an argument of what evaluates and decides.
func TestPurePackagesReadNoClock(t *testing.T) {
	t.Parallel()
	clock := regexp.MustCompile(`\btime\.(After|AfterFunc|NewTicker|NewTimer|Now|Since|Sleep|Tick|Until)\b`)
	for _, at := range []string{"document", "eval", "internal/publisher/control/risk", "internal/publisher/control/ownership", "internal/publisher/control/requests", "internal/publisher/control/decide", "internal/publisher/lifecycle", "internal/publisher/usage", "internal/publisher/fleet", "internal/publisher/preview", "internal/publisher/manifest"} {
		for _, file := range goFiles(t, at) {
			if used := clock.FindString(readFile(t, file)); used != "" {
				t.Errorf("%s uses %s: time is an argument there", file, used)
			}
		}
	}
}

// A decision rests on what it judges and on the state of requests, and neither knows it. What a service does is above them all.
func TestDecisionsImportFew(t *testing.T) {
	t.Parallel()
	const control, access = "internal/publisher/control", "internal/publisher/access"
	all := readSource(t)
	for at, allowed := range map[string][]string{
		"internal/publisher/lifecycle": {"eval", control + "/ownership"},
		"internal/publisher/manifest":  {"eval"},

		control + "/ownership":     {"document"},
		"internal/publisher/usage": {"sync/usage"}, // the form of reports

		control + "/risk":     {"document", "eval", access},
		control + "/requests": {"document", "eval", "sync/changelog", access, control + "/risk", "internal/publisher/lifecycle"},
		control + "/decide":   {"document", "eval", "sync/changelog", access, control + "/risk", control + "/requests", control + "/ownership", "internal/publisher/lifecycle"},
	} {
		for _, imported := range own(all.must(t, at).imports) {
			if !slices.Contains(allowed, imported) {
				t.Errorf("%s imports %s; of ours it may import %v only", at, imported, allowed)
			}
		}
	}
}

// access holds both what a question to policies is made of, which are values, and what reads files and streams. Decisions use the values.
func TestDecisionsUseValuesOfAccess(t *testing.T) {
	t.Parallel()
	const access = "internal/publisher/access"
	values := []string{"ErrRejected"}
	for _, match := range regexp.MustCompile(`(?m)^(?:func|type|\t)\s?([A-Z]\w*)\b`).FindAllStringSubmatch(readFile(t, access+"/question.go"), -1) {
		values = append(values, match[1])
	}
	uses := regexp.MustCompile(`\baccess\.([A-Z]\w*)`)
	for _, at := range []string{"risk", "requests", "decide"} {
		for _, file := range goFiles(t, "internal/publisher/control/"+at) {
			for _, match := range uses.FindAllStringSubmatch(readFile(t, file), -1) {
				if !slices.Contains(values, match[1]) {
					t.Errorf("%s uses access.%s, which is no value of a question", file, match[1])
				}
			}
		}
	}
}

// The foundation knows nothing of the wings that stand on it.
func TestFoundationImports(t *testing.T) {
	t.Parallel()
	all := readSource(t)
	for at, allowed := range map[string][]string{
		"document":       nil,
		"eval":           {"document"},
		"sync/changelog": {"document"},
		"cache":          {"document", "eval", "sync/changelog"},

		"sync/internal/tuning":    nil,
		"sync/internal/jetstream": {"document", "sync/changelog"},
		"sync":                    {"sync/changelog", "sync/internal/jetstream"},
		"sync/follow":             {"document", "sync", "sync/changelog", "sync/internal/jetstream", "sync/internal/tuning"},
		"sync/writer":             {"document", "sync", "sync/changelog", "sync/internal/jetstream", "sync/internal/tuning"},
		"sync/backup":             {"sync", "sync/internal/jetstream"},
		"sync/status":             {"document", "sync", "sync/changelog", "sync/internal/jetstream"},
		"sync/usage":              {"document", "sync", "sync/internal/jetstream", "sync/status"},
		"sync/series":             {"sync", "sync/internal/jetstream", "sync/usage"},
		"sync/queue":              {"sync", "sync/internal/jetstream"},
		"sync/preview":            {"document", "sync", "sync/changelog", "sync/internal/jetstream", "sync/status"},
		"sync/bucket":             {"sync", "sync/internal/jetstream"},
	} {
		for _, imported := range own(all.must(t, at).imports) {
			if !slices.Contains(allowed, imported) {
				t.Errorf("%s imports %s; of ours it may import %v only", at, imported, allowed)
			}
		}
	}
}

// The small packages that everybody uses use none of ours but smaller ones: who may write a file, what a second signal removes, what runs how long, and
// what is read again.
func TestLeavesImportNothingOfOurs(t *testing.T) {
	t.Parallel()
	all := readSource(t)
	var smaller []string
	for _, size := range [][]string{
		{"internal/fileaccess", "internal/ending", "internal/lifecycle", "internal/exposurekey"},
		{"internal/reload"},
		{"internal/config", "internal/health", "internal/kubernetes", "internal/listen", "internal/origin", "internal/telemetry", "internal/telemetry/opentelemetry", "examples/flagset"},
	} {
		for _, at := range size {
			for _, imported := range own(all.must(t, at).imports) {
				if !slices.Contains(smaller, imported) {
					t.Errorf("%s imports %s and is to be a leaf", at, imported)
				}
			}
		}
		smaller = append(smaller, size...)
	}
}

// Sidecar and publisher meet in the change log only; dev composes both, and cmd/flagside offers dev.
func TestWingsAreSeparate(t *testing.T) {
	t.Parallel()
	const sidecar, publisher, dev = "internal/sidecar", "internal/publisher", "internal/dev"
	composers := []string{dev, "cmd/flagside"}
	all := readSource(t)
	for _, at := range all.folders() {
		reached := all.reach(at)
		reached[at] = true
		for _, imported := range own(all[at].testImports) {
			reached[imported] = true
		}
		if within(reached, sidecar) && within(reached, publisher) && !slices.Contains(composers, at) {
			t.Errorf("%s reaches both %s and %s; only %v may", at, sidecar, publisher, composers)
		}
		if slices.Contains(own(all[at].testImports), dev) && (below(at, sidecar) || below(at, publisher)) {
			t.Errorf("a test of %s imports %s; a wing does not know the other one", at, dev)
		}
	}
}

// The command line reaches a publisher over its API and in no other way. What it has beside the client serves commands that work offline.
func TestTheCommandLineSpeaksToTheAPI(t *testing.T) {
	t.Parallel()
	const publisher = "internal/publisher/"
	allowed := map[string][]string{
		publisher + "api": nil,
		publisher + "client": {
			"document", "sync/changelog", "internal/origin", publisher + "api",
		},
		publisher + "cli": {
			publisher + "api", publisher + "client", publisher + "cli/contexts", "internal/commandline", "internal/config", "internal/handwritten", "internal/telemetry",
			"document", "eval", "sync/changelog", // evaluates flags, and reads revisions and trust files
			"sync",                          // the names that environments can have
			publisher + "access",            // the names of roles and actions
			publisher + "audit",             // verifies exports
			publisher + "source",            // reads flag files, and plans what they need
			publisher + "control/ownership", // who owns a document
			publisher + "lifecycle",         // what would be frozen again
			"internal/references",           // reads source code
			"internal/fileaccess",           // replaces files as a whole
		},
	}
	all := readSource(t)
	for at, allowed := range allowed {
		for _, imported := range own(all.must(t, at).imports) {
			if !slices.Contains(allowed, imported) {
				t.Errorf("%s imports %s; of ours it may import %v only", at, imported, allowed)
			}
		}
	}
	for _, imported := range all.must(t, publisher+"api").imports {
		if imported != "encoding/json" && imported != "time" {
			t.Errorf("%sapi imports %s and has nothing but types", publisher, imported)
		}
	}
	if reached := all.reach(publisher + "admin"); reached[publisher+"client"] || reached[publisher+"cli"] {
		t.Error("the server links the client")
	}
}

// within reports whether any of the folders is the parent or lies in it.
func within(folders map[string]bool, parent string) bool {
	for at := range folders {
		if below(at, parent) {
			return true
		}
	}
	return false
}

// Each protocol library has its rooms. Tests count too: what a test needs of NATS, natstest offers.
func TestLibrariesStayInTheirRooms(t *testing.T) {
	t.Parallel()
	rooms := map[string][]string{
		"github.com/nats-io": {
			"sync/internal/jetstream", "sync/queue", "internal/publisher/natsserver", "internal/natstest", "internal/attacks",
			"bench/failover", // which compares with the servers alone
		},
		"github.com/valyala/fasthttp": {
			"internal/sidecar/ofrep", "internal/sidecar/gate", // the rest is net/http
			"bench/http/constant", // the limit that they are compared with
		},
		"github.com/HdrHistogram": {"bench/http", "bench/http/load"},
		"connectrpc.com":          {"internal/sidecar/flagd", "internal/sidecar/gate"},
		// Only publishers export usage; e2e reads what they wrote.
		"github.com/parquet-go":             {"internal/publisher/usage/sinks/columns"},
		"github.com/minio":                  {"internal/publisher/usage/sinks/objects"},
		"github.com/johannesboyne/gofakes3": nil,
		"buf.build":                         {"internal/sidecar/flagd"},
		"github.com/stretchr/testify":       nil, // tests use the standard library and go-cmp
		"github.com/alecthomas/kong":        nil, // options are declared with internal/config
		"github.com/spf13/cobra":            nil,
	}
	testRooms := map[string][]string{
		"github.com/nats-io":                {"sync"}, // whose tests break what lies behind the log
		"github.com/parquet-go":             {"internal/publisher/usage/sinks", "e2e"},
		"github.com/johannesboyne/gofakes3": {"internal/publisher/usage/sinks"},
	}
	all := readSource(t)
	for library, allowed := range rooms {
		for _, at := range allowed {
			all.must(t, at)
		}
		for _, at := range all.folders() {
			if slices.Contains(allowed, at) {
				continue
			}
			imports := all[at].imports
			if !slices.Contains(testRooms[library], at) {
				imports = slices.Concat(imports, all[at].testImports)
			}
			for _, imported := range imports {
				if below(imported, library) {
					t.Errorf("%s imports %s; only %v may", at, imported, allowed)
				}
			}
		}
	}
}

// What may write Secrets of Kubernetes is in the one command that the chart's Job runs, and in nothing that serves.
func TestOnlyTheJobWritesSecrets(t *testing.T) {
	t.Parallel()
	const client, provision = "internal/kubernetes", "internal/publisher/provision"
	const serves, follows = "internal/publisher", "internal/publisher/following" // which read other objects
	users := map[string][]string{client: {provision, "cmd/publisher", "internal/kubernetestest", serves, follows}, provision: {"cmd/publisher"}}
	all := readSource(t)
	for used, allowed := range users {
		all.must(t, used)
		for _, at := range all.folders() {
			if slices.Contains(own(all[at].imports), used) && !slices.Contains(allowed, at) {
				t.Errorf("%s imports %s; only %v may", at, used, allowed)
			}
		}
	}
	secrets := regexp.MustCompile(`\bkubernetes\.Secret\b|\b[cC]lient\.(Secret|Create|Update)\(`)
	for _, at := range []string{serves, follows} {
		for _, file := range goFiles(t, at) {
			if used := secrets.FindString(readFile(t, file)); used != "" {
				t.Errorf("%s uses %s: what serves touches no Secret", file, used)
			}
		}
	}
}

// What makes the world of a test is in no program: above all keys that anybody can make, and servers that let everybody in.
func TestWhatTestsNeedStaysInTests(t *testing.T) {
	t.Parallel()
	only := []string{
		"internal/trusttest", "internal/natstest", "internal/faultnet", "internal/faultdisk", "internal/linearizable", "internal/sidecar/historytest",
		"internal/waiting", "internal/logtest", "internal/process", "internal/figures", "internal/kubernetestest",
		"internal/publisher/control/statetest", "internal/publisher/session/providertest",
	}
	users := slices.Concat(only, []string{"bench", "e2e"}) // which measure and break what they run
	all := readSource(t)
	for _, at := range only {
		all.must(t, at)
	}
	for _, at := range all.folders() {
		if slices.ContainsFunc(users, func(name string) bool { return below(at, name) }) {
			continue
		}
		for _, imported := range own(all[at].imports) {
			if slices.Contains(only, imported) {
				t.Errorf("%s imports %s, which is for tests", at, imported)
			}
		}
	}
}

// What tests and measures the whole stands on top: nothing imports it but itself.
func TestNothingImportsWhatStandsOnTop(t *testing.T) {
	t.Parallel()
	all := readSource(t)
	for _, top := range []string{"e2e", "bench", "cmd"} {
		for _, at := range all.folders() {
			if below(at, top) {
				continue
			}
			for _, imported := range own(slices.Concat(all[at].imports, all[at].testImports)) {
				if below(imported, top) {
					t.Errorf("%s imports %s, which stands above it", at, imported)
				}
			}
		}
	}
}

func TestEveryPackageHasAComment(t *testing.T) {
	t.Parallel()
	all := readSource(t)
	for _, at := range all.folders() {
		folder := all[at]
		want := "Package " + folder.name + " "
		switch folder.name {
		case "":
			want = "Package "
		case "main":
			want = "Command "
		}
		if !strings.HasPrefix(folder.doc, want) || strings.Count(folder.doc, want) > 1 {
			t.Errorf("%s needs one package comment that begins with %q", at, want)
		}
	}
}

func TestPackagesSayWhatTheyHold(t *testing.T) {
	t.Parallel()
	empty := []string{"base", "common", "core", "helper", "helpers", "lib", "manager", "misc", "pkg", "shared", "types", "util", "utils"}
	all := readSource(t)
	for _, at := range all.folders() {
		for _, name := range append(strings.Split(at, "/"), all[at].name) {
			if slices.Contains(empty, name) {
				t.Errorf("%s: the name %s says nothing", at, name)
			}
		}
	}
}

// must returns a folder that has to exist.
func (s source) must(t *testing.T, at string) *folder {
	t.Helper()
	folder := s[at]
	if folder == nil {
		t.Fatalf("%s has no Go files", at)
	}
	return folder
}
