package architecture

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// banned is something that the sidecar must not link. Every pod pays for what the sidecar links, in memory and in download.
type banned struct {
	// name is a folder of ours (beginning with the module path), a module or a package of the standard library.
	name string
	// example is the import path of a package that the name has to cover.
	example string
	// cost says why. Sizes are what a stripped binary with net/http and Prometheus metrics, 8.7 MB, grows by.
	cost string
}

func bannedFromSidecar() []banned {
	return []banned{
		{
			module + "/internal/publisher", module + "/internal/publisher/control",
			"the control plane decides who may change what; code that can write must not run beside applications",
		},
		{
			module + "/sync/writer", module + "/sync/writer",
			"the publisher's side of the log; code that can write must not run beside applications",
		},
		{
			module + "/sync/backup", module + "/sync/backup",
			"it copies whole streams, those that sidecars may not read too",
		},
		{
			module + "/sync/queue", module + "/sync/queue",
			"it appends to streams of the account of publishers",
		},
		{
			module + "/sync/series", module + "/sync/series",
			"it writes to streams of the account of publishers",
		},
		{
			"github.com/parquet-go/parquet-go", "github.com/parquet-go/parquet-go/compress/zstd",
			"publishers write files of usage; a sidecar sends its reports to them",
		},
		{
			"github.com/minio/minio-go/v7", "github.com/minio/minio-go/v7/pkg/credentials",
			"it holds credentials of buckets, which must not be beside applications",
		},
		{
			module + "/internal/dev", module + "/internal/dev",
			"it brings the publisher and an embedded NATS server",
		},
		{
			module + "/internal/kubernetes", module + "/internal/kubernetes",
			"it writes Secrets; a sidecar has no token of Kubernetes and no use for one",
		},
		{
			"github.com/nats-io/nats-server/v2", "github.com/nats-io/nats-server/v2/server",
			"10.4 MB of binary and as much memory; a sidecar is a client",
		},
		{
			"google.golang.org/grpc", "google.golang.org/grpc/internal/transport",
			"4.1 MB of binary; connect speaks the same protocol over net/http",
		},
		{
			"github.com/envoyproxy/go-control-plane", "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3",
			"7.6 MB of binary, most of it generated code that is never called",
		},
		{
			"go.opentelemetry.io/otel/exporters/otlp", "go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc",
			"6.1 MB of binary and, once running, 6 MB of memory",
		},
		{
			module + "/internal/telemetry/opentelemetry", module + "/internal/telemetry/opentelemetry",
			"it brings the OTLP exporters",
		},
		{
			"go.opentelemetry.io/otel/sdk", "go.opentelemetry.io/otel/sdk/trace",
			"spans of evaluations would cost more than the evaluations",
		},
		{
			"github.com/goccy/go-yaml", "github.com/goccy/go-yaml/parser",
			"0.7 MB of binary; people convert what they write in YAML with flagside convert",
		},
		{
			"github.com/alecthomas/kong", "github.com/alecthomas/kong",
			"2.2 MB of binary; options are declared with internal/config",
		},
		{
			"github.com/spf13/cobra", "github.com/spf13/cobra/doc",
			"a second way to declare options, with templates behind it; options are declared with internal/config",
		},
		{
			"text/template", "text/template/parse",
			"2.0 MB of binary: it calls methods by name, so the linker must keep every exported method of every type",
		},
		{
			"html/template", "html/template",
			"as text/template, which it contains",
		},
	}
}

func TestSidecarLinksNothingBanned(t *testing.T) {
	t.Parallel()
	links := linked(t, "cmd/sidecar")
	for _, banned := range bannedFromSidecar() {
		for _, link := range links {
			if below(link, banned.name) {
				t.Errorf("cmd/sidecar links %s: %s (go mod why %s shows through which packages)", link, banned.cost, link)
			}
		}
	}
}

// What bundles the web page, and the browser that tests it, are in no program.
func TestNoProgramLinksWhatMakesThePage(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"cmd/publisher", "cmd/sidecar", "cmd/flagside"} {
		for _, link := range linked(t, program) {
			if below(link, "github.com/evanw/esbuild") || below(link, "github.com/chromedp") {
				t.Errorf("%s links %s, which only makes or tests the page", program, link)
			}
		}
	}
}

// A name that is misspelled bans nothing. Every name must cover its example, and must exist: in the standard library, in this module,
// or among the modules that the program or its tools require. Names that nothing requires cannot be linked; they are listed here so
// that this test fails, and they move out of the list, when something begins to require them under a slightly different name.
func TestBannedNamesExist(t *testing.T) {
	t.Parallel()
	standard := goList(t, "std")
	required := requiredModules(t)
	notRequired := []string{
		"github.com/envoyproxy/go-control-plane",
		"github.com/alecthomas/kong",
	}
	for _, banned := range bannedFromSidecar() {
		if !below(banned.example, banned.name) {
			t.Errorf("%s does not cover its example %s", banned.name, banned.example)
		}
		requires := slices.ContainsFunc(required, func(m string) bool { return below(m, banned.name) })
		switch {
		case strings.HasPrefix(banned.name, module):
			if _, err := os.Stat(filepath.Join(root, strings.TrimPrefix(banned.name, module))); err != nil {
				t.Errorf("%s does not exist: %v", banned.name, err)
			}
		case !strings.Contains(banned.name, "."):
			if !slices.Contains(standard, banned.name) {
				t.Errorf("%s is not in the standard library", banned.name)
			}
		case requires == slices.Contains(notRequired, banned.name):
			t.Errorf("%s: required is %v; correct its spelling or the list of this test", banned.name, requires)
		}
	}
}

// requiredModules returns all modules that the program and its tools require.
func requiredModules(t *testing.T) []string {
	t.Helper()
	requirement := regexp.MustCompile(`(?m)^(?:require )?\t?([a-z0-9.-]+\.[a-z]+/\S+) v\S+`)
	var modules []string
	for _, file := range []string{"go.mod", "build/tools.mod"} {
		content, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range requirement.FindAllStringSubmatch(string(content), -1) {
			modules = append(modules, match[1])
		}
	}
	return modules
}

// The foundation is linked by everything, so what it links is a list that grows only on purpose.
func TestFoundationLinksFewModules(t *testing.T) {
	t.Parallel()
	allowed := map[string][]string{
		"eval":           {module + "/document", "github.com/go-json-experiment/json", "github.com/twmb/murmur3", "golang.org/x/mod"},
		"sync/changelog": {module + "/document", "github.com/go-json-experiment/json", "github.com/klauspost/compress", "golang.org/x/mod/sumdb/note"},
	}
	standard := goList(t, "std")
	for folder, modules := range allowed {
		for _, link := range linked(t, folder) {
			known := below(link, module+"/"+folder) || slices.Contains(standard, link) || strings.HasPrefix(link, "vendor/") ||
				slices.ContainsFunc(modules, func(m string) bool { return below(link, m) })
			if !known {
				t.Errorf("%s links %s, which is not on its list", folder, link)
			}
		}
	}
}
